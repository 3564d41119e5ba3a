//! Characters that cannot be seen and that the server does not read as white space.
//!
//! Outside literals, the server takes such a character for a letter of a name or reports a syntax
//! error, and neither message nor file shows why.

/// Names of characters, and of groups of them without names of their own.
static NAMES: &[(char, char, &str)] = &[
    ('\u{0001}', '\u{0008}', "control character"),
    ('\u{000e}', '\u{001f}', "control character"),
    ('\u{007f}', '\u{0084}', "control character"),
    ('\u{0085}', '\u{0085}', "next line"),
    ('\u{0086}', '\u{009f}', "control character"),
    ('\u{00a0}', '\u{00a0}', "no-break space"),
    ('\u{00ad}', '\u{00ad}', "soft hyphen"),
    ('\u{034f}', '\u{034f}', "combining grapheme joiner"),
    ('\u{061c}', '\u{061c}', "Arabic letter mark"),
    ('\u{115f}', '\u{1160}', "Hangul filler"),
    ('\u{1680}', '\u{1680}', "Ogham space mark"),
    ('\u{180b}', '\u{180f}', "Mongolian separator"),
    ('\u{2000}', '\u{200a}', "typographic space"),
    ('\u{200b}', '\u{200b}', "zero width space"),
    ('\u{200c}', '\u{200c}', "zero width non-joiner"),
    ('\u{200d}', '\u{200d}', "zero width joiner"),
    ('\u{200e}', '\u{200e}', "left-to-right mark"),
    ('\u{200f}', '\u{200f}', "right-to-left mark"),
    ('\u{2028}', '\u{2028}', "line separator"),
    ('\u{2029}', '\u{2029}', "paragraph separator"),
    ('\u{202a}', '\u{202e}', "mark of a writing direction"),
    ('\u{202f}', '\u{202f}', "narrow no-break space"),
    ('\u{205f}', '\u{205f}', "mathematical space"),
    ('\u{2060}', '\u{2060}', "word joiner"),
    ('\u{2061}', '\u{2064}', "invisible operator"),
    ('\u{2066}', '\u{2069}', "mark of a writing direction"),
    ('\u{206a}', '\u{206f}', "format character"),
    ('\u{3000}', '\u{3000}', "ideographic space"),
    ('\u{3164}', '\u{3164}', "Hangul filler"),
    ('\u{fe00}', '\u{fe0f}', "variation selector"),
    ('\u{feff}', '\u{feff}', "byte order mark"),
    ('\u{ffa0}', '\u{ffa0}', "Hangul filler"),
    ('\u{fff9}', '\u{fffb}', "format character"),
    ('\u{e0000}', '\u{e0fff}', "tag character"),
];

/// The name of a character, if it is invisible.
pub(super) fn name(character: char) -> Option<&'static str> {
    let is_in = |(first, last, _): &&(char, char, &str)| (*first..=*last).contains(&character);
    NAMES.iter().find(is_in).map(|(_, _, name)| *name)
}

/// The first invisible character of a text, with its offset and its name.
pub(super) fn find(text: &str) -> Option<(usize, char, &'static str)> {
    let mut others = text.char_indices().filter(|(_, character)| !(' '..='~').contains(character));
    others.find_map(|(at, character)| Some((at, character, name(character)?)))
}
