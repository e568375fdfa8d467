//! The last rung of the ladder: a drawn screen in ASCII alone.

use ratatui::buffer::Buffer;

/// Replaces every glyph that is not ASCII by one that says the same as nearly as may be.
pub fn reduce(buf: &mut Buffer) {
    for cell in &mut buf.content {
        if let Some(glyph) = cell.symbol().chars().next().filter(|glyph| !glyph.is_ascii()) {
            cell.set_char(ascii_or(glyph));
        }
    }
}

/// The ASCII for a glyph; ASCII itself stays as it is.
pub const fn ascii_or(glyph: char) -> char {
    match glyph {
        glyph if glyph.is_ascii() => glyph,
        '█' | '▇' | '▉' | '▊' | '▋' | '▌' => '#',
        '▍' | '▎' | '▏' => ' ',
        '▁' | '▂' => '_',
        '▃' | '▄' => '-',
        '▅' | '▆' => '=',
        '░' => ':',
        '▒' => '%',
        '▓' => '&',
        '·' | '…' => '.',
        '╱' => '/',
        '─' | '−' | '–' => '-',
        '│' | '╷' | '┊' | '├' => '|',
        '└' => '`',
        '≈' => '~',
        '×' => 'x',
        'µ' => 'u',
        '▸' | '→' => '>',
        '▾' => 'v',
        '↑' => '^',
        '↓' => 'v',
        '←' => '<',
        '▲' => '^',
        '▼' => 'v',
        '±' => '+',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_glyphs_of_the_lanes_become_those_of_the_rules() {
        assert_eq!(['█', '·', '╱', '▒'].map(ascii_or), ['#', '.', '/', '%']);
    }
}
