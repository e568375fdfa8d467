//! Which modules a file imports, as its lines have it.

/// Whether a line of the source imports the module, or something of it.
pub fn imports(source: &str, module: &str) -> bool {
    source.lines().map(str::trim_start).any(|line| {
        let mut words = line.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '#'));
        let imports = matches!(words.next(), Some("import" | "from"));
        imports
            && words.any(|word| word == module || word.strip_prefix(module).is_some_and(|rest| rest.starts_with('.')))
    })
}

#[cfg(test)]
mod tests {
    use super::imports;

    #[test]
    fn a_module_is_found_by_its_whole_name() {
        let source =
            "import time, asyncio\nimport urllib.request\ndef work():\n    from numpy import dot\n# import queue\n";
        for module in ["time", "asyncio", "urllib", "urllib.request", "numpy"] {
            assert!(imports(source, module), "{module}");
        }
        for module in ["queue", "tim", "request", "dot.x", "hashlib"] {
            assert!(!imports(source, module), "{module}");
        }
    }
}
