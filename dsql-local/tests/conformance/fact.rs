//! Parses the table of facts.

/// One fact about DSQL.
pub(crate) struct Fact {
    pub(crate) name: String,
    /// `R` recorded on a cluster, `D` documented, `T` stated by the authors of a library, `I`
    /// inferred.
    pub(crate) mark: char,
    pub(crate) source: String,
    /// Statements that must succeed before the steps.
    pub(crate) setup: Vec<String>,
    pub(crate) proof: Proof,
    /// Whether the fact needs several statements in one message, which only the simple protocol
    /// allows.
    pub(crate) simple_only: bool,
    /// Why the emulator responds differently.
    pub(crate) differs: Option<String>,
}

pub(crate) enum Proof {
    Steps(Vec<Step>),
    /// The fact needs a cluster of its own, and so it has a test of its own.
    Test {
        file: String,
        test: String,
    },
    /// What is not recorded about DSQL.
    Unknown(String),
}

/// One message of one session, and the expected response.
pub(crate) struct Step {
    pub(crate) session: char,
    pub(crate) times: usize,
    pub(crate) sql: String,
    /// The value until which the message is repeated.
    pub(crate) until: Option<String>,
    pub(crate) results: Vec<Result>,
    pub(crate) error: Option<Error>,
}

pub(crate) struct Result {
    pub(crate) tag: String,
    pub(crate) columns: Option<Vec<String>>,
    /// Not compared if empty.
    pub(crate) rows: Vec<Vec<String>>,
}

pub(crate) struct Error {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
}

pub(crate) fn parse(text: &str) -> std::result::Result<Vec<Fact>, String> {
    let mut facts: Vec<Fact> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let read = if let Some(head) = line.strip_prefix('[') {
            begin(head).map(|fact| facts.push(fact))
        } else {
            facts.last_mut().and_then(|fact| fact.read(line))
        };
        read.ok_or_else(|| format!("line {}: {line}", number + 1))?;
    }
    let mut names: Vec<_> = facts.iter().map(|fact| &fact.name).collect();
    names.sort();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("two facts have the name {}", twice[0]));
    }
    let empty = facts.iter().find(
        |fact| matches!(&fact.proof, Proof::Steps(steps) if !steps.iter().any(Step::asserts)),
    );
    match empty {
        Some(fact) => Err(format!("{} expects nothing", fact.name)),
        None => Ok(facts),
    }
}

/// Parses `name] R source`.
fn begin(head: &str) -> Option<Fact> {
    let (name, rest) = head.split_once("] ")?;
    let (mark, source) = rest.split_once(' ')?;
    let mark = mark.chars().next().filter(|mark| "RDTI".contains(*mark))?;
    Some(Fact {
        name: name.to_owned(),
        mark,
        source: source.to_owned(),
        setup: Vec::new(),
        proof: Proof::Steps(Vec::new()),
        simple_only: false,
        differs: None,
    })
}

impl Fact {
    fn read(&mut self, line: &str) -> Option<()> {
        if line == "simple only" {
            self.simple_only = true;
            return Some(());
        }
        if let Some(reason) = line.strip_prefix("differs: ") {
            self.differs = Some(reason.to_owned());
            return Some(());
        }
        if let Some(what) = line.strip_prefix("unknown: ") {
            self.proof = Proof::Unknown(what.to_owned());
            return Some(());
        }
        if let Some(path) = line.strip_prefix("test: ") {
            let (file, test) = path.split_once("::")?;
            self.proof = Proof::Test { file: file.to_owned(), test: test.to_owned() };
            return Some(());
        }
        if let Some(sql) = line.strip_prefix("+ ") {
            self.setup.push(sql.to_owned());
            return Some(());
        }
        let Proof::Steps(steps) = &mut self.proof else {
            return None;
        };
        if let Some(step) = Step::begin(line) {
            steps.push(step);
            return Some(());
        }
        steps.last_mut()?.expect(line)
    }
}

impl Step {
    /// Parses `A: sql`, `A*64: sql`, `A~ sql => value`.
    fn begin(line: &str) -> Option<Self> {
        let session = line.chars().next().filter(char::is_ascii_uppercase)?;
        let rest = &line[1..];
        let (times, sql, until) = if let Some(sql) = rest.strip_prefix(": ") {
            (1, sql, None)
        } else if let Some(rest) = rest.strip_prefix('*') {
            let (times, sql) = rest.split_once(": ")?;
            (times.parse().ok()?, sql, None)
        } else {
            let (sql, value) = rest.strip_prefix("~ ")?.rsplit_once(" => ")?;
            (1, sql, Some(value.to_owned()))
        };
        let sql = sql.to_owned();
        Some(Self { session, times, sql, until, results: Vec::new(), error: None })
    }

    fn expect(&mut self, line: &str) -> Option<()> {
        let (sign, rest) = line.split_at_checked(1)?;
        let rest = rest.trim();
        match sign {
            "=" => {
                self.results.push(Result { tag: rest.to_owned(), columns: None, rows: Vec::new() });
            }
            ":" => {
                let columns = rest.split(',').map(|name| name.trim().to_owned()).collect();
                self.results.last_mut()?.columns = Some(columns);
            }
            "|" => {
                let row = rest.split(" | ").map(|value| value.trim().to_owned()).collect();
                self.results.last_mut()?.rows.push(row);
            }
            "!" => {
                let (code, message) = rest.split_once(' ')?;
                let (code, message) = (code.to_owned(), message.to_owned());
                self.error = Some(Error { code, message, detail: None });
            }
            "?" => self.error.as_mut()?.detail = Some(rest.to_owned()),
            _ => return None,
        }
        Some(())
    }

    fn asserts(&self) -> bool {
        self.until.is_some() || self.error.is_some() || !self.results.is_empty()
    }
}
