# Runs PostgreSQL and outlives every process that could forget to stop it. Arguments: the directory
# of the cluster, the template, the program `postgres`, and the directory in which to keep the data,
# or an empty string. Standard input is a pipe that the emulator holds open and never writes to. It
# ends when the emulator closes it, exits, or is killed by any signal. Standard output is the lock
# on the data, held until this script ends.
umask 077
directory=$1
trap 'rm -rf "$directory"' EXIT
if [ -n "$4" ]; then
    data=$4/data
    # Completely or not at all: a copy that was interrupted starts again.
    [ -d "$data" ] || { rm -rf "$4/new" && cp -R "$2" "$4/new" && mv "$4/new" "$data"; } || exit
    # The settings in the template are for data that is deleted.
    set -- "$1" "$2" "$3" "$4" -c fsync=on -c full_page_writes=on
    stop=INT
else
    data=$1/data
    set -- "$1" "$2" "$3" "$4"
    cp -R "$2" "$data" || exit
    # The data will be deleted, so an immediate shutdown loses nothing.
    stop=QUIT
fi
postgres=$3
shift 4
if mkdir "$directory/socket"; then
    "$postgres" -D "$data" -k "$directory/socket" "$@" </dev/null >"$directory/postgres.log" 2>&1 &
    cat >/dev/null
    # sh starts a background process with INT and QUIT ignored. Until PostgreSQL has changed that,
    # only TERM ends it.
    kill -TERM $!
    kill -$stop $!
    wait $!
fi
