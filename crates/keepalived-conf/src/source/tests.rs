use super::*;
use crate::Options;
use crate::reader::Memory;
use proptest::prelude::*;

fn read_files(files: &[(&str, &str)]) -> (String, String) {
    let mut memory = Memory::default();
    for (path, text) in files {
        memory.files.insert(PathBuf::from(path), text.as_bytes().to_vec());
    }
    let (mut sources, mut report) = (Sources::default(), Report::default());
    let options = Options { config_id: "main".to_owned(), seed: 3, ..Options::default() };
    let mut out = String::new();
    {
        let mut source = LineSource::new(&memory, &options, &mut sources, &mut report);
        assert!(source.open_main(Path::new("/k/k.conf")));
        while let Some(line) = source.next_line() {
            let words: Vec<_> = line.words.iter().map(|word| word.text.as_str()).collect();
            out += &format!("{}\n", words.join("|"));
        }
        source.finish();
    }
    let said: Vec<_> = report.iter().map(|d| d.message.clone()).collect();
    (out, said.join("\n"))
}

fn read(text: &str) -> String {
    let (lines, said) = read_files(&[("/k/k.conf", text)]);
    assert_eq!(said, "", "{text}");
    lines
}

#[test]
fn comments_and_braces() {
    assert_eq!(read("a b # c\n! d\n e\\#f \"g # h\" # i\n"), "a|b\ne#f|g # h\n");
    assert_eq!(read("a { b c }\nd\n{ e } \n\"{\" f"), "a\n{\nb|c\n}\nd\n{\ne\n}\n{|f\n");
    assert_eq!(read("a\\\nb \\ c"), "a\\\nb|\\|c\n");
}

#[test]
fn conditions() {
    assert_eq!(read("@main a b\n@other c\n@^main d\n@^other e\n@main\n"), "a|b\ne\n");
    assert_eq!(read("@main $P=240\n@back $P=200\np $P\n$I=@main\n$I q\n"), "p|240\nq\n");
}

#[test]
fn definitions_of_several_lines_nest() {
    let text = "$RS= \\\n rs ${N} { \\\n  w \\\n }\n$VS= \\\n vs { \\\n $N=1 \\\n $RS \\\n $N=2 \\\n $RS \\\n }\n$VS\nend\n";
    assert_eq!(read(text), "vs\n{\nrs|1\n{\nw\n}\nrs|2\n{\nw\n}\n}\nend\n");
    assert_eq!(read("$A=\n$B= \\\n\nx ${A}y $B\n"), "x|y\n");
}

#[test]
fn sequences_repeat_the_rest_of_the_line() {
    assert_eq!(read("~SEQ(X,1,3) a $X\n"), "a|1\na|2\na|3\n");
    assert_eq!(
        read("~LST({A, B}, {10,1},{20,4}) ~SEQ(C,168,2,170) 192.${C}.${A}.${B}\n"),
        "192.168.10.1\n192.170.10.1\n192.168.20.4\n192.170.20.4\n"
    );
    let text = "$V= \\\n v ${I}.${J} { \\\n x \\\n } \n~SEQ(I,0,1) ~SEQ(J,1,2) $V\n";
    let expected: String =
        ["0.1", "0.2", "1.1", "1.2"].iter().map(|name| format!("v|{name}\n{{\nx\n}}\n")).collect();
    assert_eq!(read(text), expected);
}

#[test]
fn includes_are_relative_to_the_file() {
    let files = [
        ("/k/k.conf", "include d/*.conf\ninclude none\nb ${_PWD}\n"),
        ("/k/d/1.conf", "one ${_PWD}\ninclude sub.inc\n"),
        ("/k/d/2.conf", "two"),
        ("/k/d/sub.inc", "sub"),
    ];
    let (lines, said) = read_files(&files);
    assert_eq!(lines, "one|/k/d\nsub\ntwo\nb|/k\n");
    assert_eq!(said, "Config files missing 'none'.");
}

#[test]
fn an_endless_include_ends() {
    let (_, said) = read_files(&[("/k/k.conf", "a\ninclude k.conf\n")]);
    assert_eq!(said, "files are included more than 64 deep");
    let (lines, said) = read_files(&[("/k/k.conf", "$A=b\\\n$A\n$A\n")]);
    assert!(lines.lines().count() < 100 && said.contains("contains itself"), "{lines} {said}");
}

#[test]
fn unbalanced_braces_are_counted() {
    let (_, said) = read_files(&[("/k/k.conf", "a {\nb {\n}\n")]);
    assert_eq!(said, "There are 1 missing '}'s or extra '{'s");
    let (_, said) = read_files(&[("/k/k.conf", "a }\n}\n")]);
    assert_eq!(said, "Extra '}' found\nExtra '}' found");
}

proptest! {
    #[test]
    fn spans_point_at_what_was_written(text in "([ ab{}\"#\\\\\n@$=~]|main|\\$A|~SEQ\\(A,1,2\\)|include k){0,24}") {
        let memory = Memory::of("/k/k.conf", text.clone());
        let (mut sources, mut report) = (Sources::default(), Report::default());
        let options = Options { config_id: "main".to_owned(), ..Options::default() };
        let mut lines = Vec::new();
        {
            let mut source = LineSource::new(&memory, &options, &mut sources, &mut report);
            prop_assert!(source.open_main(Path::new("/k/k.conf")));
            while let Some(line) = source.next_line() {
                lines.push(line);
                if lines.len() > 2000 {
                    break;
                }
            }
        }
        for line in lines {
            let source = sources.get(line.span.file).unwrap();
            prop_assert!(line.span.start <= line.span.end && line.span.end as usize <= source.text.len());
            if line.base.is_some() {
                prop_assert_eq!(&source.text[source.range(line.span)], line.text.as_str());
                for word in &line.words {
                    prop_assert_eq!(source.text[source.range(word.span)].trim_matches('"'), word.text.as_str());
                }
            }
        }
    }
}
