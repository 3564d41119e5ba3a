//! Random input for the tests of this folder.

/// Generator of random numbers that are the same in every run (xorshift64*).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(number).expect("32 bits fit") % limit
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Snippets that are significant to a lexer, to be joined at random.
pub(super) const SNIPPETS: &[&str] = &[
    "'",
    "''",
    "\"",
    "$",
    "$$",
    "$a$",
    "$a",
    "$1",
    "E'",
    "e'",
    "U&'",
    "U&\"",
    "b'",
    "N'",
    "\\",
    "\\'",
    "--",
    "-",
    "/*",
    "*/",
    "/",
    "*",
    ";",
    "(",
    ")",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "a",
    "a$b$",
    "1",
    "1e",
    "1e-",
    ".5",
    "0xE",
    "BEGIN ATOMIC",
    "END",
    "CASE",
    "CREATE FUNCTION",
    "CREATE",
    "ä",
    "日本",
    "\u{feff}",
    "\0",
    "::",
    "SELECT",
    "AS",
    ",",
];

/// Joins this many random snippets.
pub(super) fn noise(random: &mut Random, snippets: usize) -> String {
    (0..snippets).map(|_| *random.pick(SNIPPETS)).collect()
}
