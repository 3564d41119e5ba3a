# Runs PostgreSQL and outlives everybody who could forget to stop it.
# Arguments: the cluster's directory, the template, the program `postgres`.
# Standard input is a pipe that the emulator holds open and never writes to. It ends when the emulator
# closes it, exits, or is killed by whatever signal.
umask 077
if cp -R "$2" "$1/data" && mkdir "$1/socket"; then
    "$3" -D "$1/data" -k "$1/socket" </dev/null >"$1/postgres.log" 2>&1 &
    cat >/dev/null
    # The data is going to be deleted, so an immediate shutdown (QUIT) loses nothing. But sh starts a background
    # process with QUIT ignored, and until PostgreSQL has changed that, only TERM ends it.
    kill -TERM $!
    kill -QUIT $!
    wait $!
fi
rm -rf "$1"
