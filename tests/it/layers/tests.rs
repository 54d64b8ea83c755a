//! The checker on small sources: it finds each breach and nothing where none is.

use super::*;

/// The breaches of one file among a few others, as `line: what`.
fn check(name: &str, text: &str) -> Vec<String> {
    let others =
        ["store/mod.rs", "store/runs.rs", "store/entity/mod.rs", "domain/ids.rs", "api/mod.rs", "ui/mod.rs"];
    let mut files: Vec<File> = others.iter().map(|name| File::new(name, "//! Doc.\n")).collect();
    files.retain(|file| file.name != name);
    files.push(File::new(name, text));
    breaches(&files).into_iter().map(|breach| format!("{}: {}", breach.line, breach.what)).collect()
}

#[test]
fn imports_against_the_order_are_found() {
    let cases = [
        ("domain/case.rs", "use crate::store::Tx;", "`domain` must not import `store::Tx`"),
        (
            "store/cases.rs",
            "use crate::{domain::ids, outbound::client};",
            "`store` must not import `outbound::client`",
        ),
        ("outbound/client.rs", "fn f() -> crate::store::Tx {}", "`outbound` must not import `store::Tx`"),
        ("api/cases.rs", "use super::super::ui::Page;", "`api` must not import `ui::Page`"),
        ("service/cases.rs", "pub(crate) use crate::engine::{self};", "`service` must not import `engine`"),
        ("engine/send.rs", "use crate::config::*;", "`engine` must not import `config::*`"),
        ("sandbox/mod.rs", "pub use crate::outbound::x;", "`sandbox` must not import `outbound::x`"),
        ("telemetry.rs", "mod tests { use super::super::api::X; }", "`telemetry` must not import `api::X`"),
        ("app.rs", "use crate::nowhere::X;", "`app` must not import `nowhere::X`"),
        (
            "domain/case.rs",
            "fn f() { let _ = r#\"\"#; crate::service::go::<u8>() }",
            "`domain` must not import `service::go`",
        ),
    ];
    for (name, text, what) in cases {
        assert_eq!(check(name, &format!("//! Doc.\n\n{text}\n")), [format!("3: {what}")], "{name}: {text}");
    }
}

#[test]
fn imports_with_the_order_and_mere_words_are_not() {
    let cases = [
        ("engine/send.rs", "use crate::{domain::{ids::RunId, clock as time}, outbound::client::*};"),
        ("store/cases.rs", "use super::{runs, entity};\nuse super::runs::{self, Run as R};"),
        ("store/cases.rs", "pub(super) struct A;\nmod tests { use super::*; }"),
        ("app.rs", "use crate::{config::Config, sandbox, telemetry, api, ui};"),
        ("main.rs", "use dossier::app;"),
        ("domain/case.rs", "// use crate::store;\n/* crate::api::x /* nested crate::ui::y */ */ struct A;"),
        (
            "domain/case.rs",
            r##"const A: &str = "crate::store::x \" crate::api"; const B: &str = r#"crate::ui " x"#;"##,
        ),
        (
            "domain/case.rs",
            "fn f<'a>(c: &'a char) { matches!(c, '\"' | '\\'' | b'\"') } // crate::store::x \"",
        ),
        (
            "api/cases.rs",
            "#[cfg(test)]\nmod tests {\n use super::*;\n mod deeper { use super::super::Thing; }\n}",
        ),
    ];
    for (name, text) in cases {
        assert_eq!(check(name, &format!("//! Doc.\n{text}\n")), Vec::<String>::new(), "{name}: {text}");
    }
}

#[test]
fn a_child_that_reads_its_own_parent_is_found() {
    for text in
        ["use super::Store;", "use super::{runs, Store};", "use crate::store::Store;", "use super::*;"]
    {
        let found = check("store/cases.rs", &format!("//! Doc.\n{text}\n"));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(
            found[0].starts_with("2: imports `store::") && found[0].contains("parent `store`"),
            "{found:?}"
        );
    }
    let found = check("store/entity/case.rs", "//! Doc.\nuse super::super::Tx;\n");
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_crate_outside_its_layers_is_found() {
    let cases = [
        ("domain/case.rs", "use sea_orm::entity::*;", 1),
        ("service/cases.rs", "fn f() -> actix_web::HttpResponse {}", 1),
        ("engine/send.rs", "use reqwest;", 1),
        ("outbound/client.rs", "use reqwest::Client;", 0),
        ("domain/case.rs", "let reqwest = 1; f(reqwest)", 0),
    ];
    for (name, text, count) in cases {
        assert_eq!(check(name, &format!("//! Doc.\n{text}\n")).len(), count, "{name}: {text}");
    }
}

#[test]
fn a_mod_file_is_a_table_of_contents() {
    let good = "//! Doc.\n\n/// One.\npub mod runs;\n#[cfg(test)]\nmod cases;\npub(crate) use runs::{A, B};\n\
                #[cfg(test)]\nmod tests {\n    fn f() { {} }\n}\n";
    assert_eq!(check("store/mod.rs", good), Vec::<String>::new());
    let bad = [
        ("fn f() {}", "fn"),
        ("pub struct Store { a: u8 }", "struct"),
        ("use runs::A;", "use"),
        ("mod inline { }", "mod"),
        ("pub mod runs; impl A {}", "impl"),
        ("#[derive(Debug)] pub(crate) enum E {}", "enum"),
        ("macro_rules! m { () => {} }", "macro_rules"),
    ];
    for (text, word) in bad {
        let what = format!("3: mod.rs holds its doc, `mod` and `pub use` lines only, not `{word}`");
        assert_eq!(check("store/mod.rs", &format!("//! Doc.\n\n{text}\n")), [what], "{text}");
    }
}

#[test]
fn files_without_a_doc_or_too_long_are_found() {
    assert_eq!(check("domain/case.rs", "struct A;\n"), ["1: does not open with `//!` and what it is for"]);
    let lines = |count: usize| format!("//! Doc.\n{}", "struct A;\n".repeat(count - 1));
    let tests = "#[cfg(test)]\n#[expect(x)]\nmod tests {\n}\n";
    assert_eq!(check("domain/case.rs", &lines(300)), Vec::<String>::new());
    assert_eq!(check("domain/case.rs", &(lines(300) + tests + &lines(300))), Vec::<String>::new());
    assert_eq!(
        check("domain/case.rs", &(lines(301) + tests)),
        ["301: has 301 lines before its tests; 300 is the limit"]
    );
    let early = format!("//! Doc.\n#[cfg(test)]\nuse a::B;\n{}", lines(300));
    assert_eq!(check("domain/case.rs", &early).len(), 1);
}

#[test]
fn a_file_whose_mod_line_is_for_tests_may_be_long_and_read_what_it_tests() {
    let long = format!("//! Doc.\nuse super::Store;\n{}", "struct A;\n".repeat(300));
    let found = |line: &str, name: &str, text: &str| {
        let files = [
            File::new("domain/ids.rs", &format!("//! Doc.\n{line}\n")),
            File::new("domain/ids/more.rs", "//! Doc.\n"),
            File::new(name, text),
        ];
        breaches(&files).iter().map(Breach::to_string).collect::<Vec<_>>()
    };
    let none = Vec::<String>::new();
    let tests = ["#[cfg(test)]\nmod more;", "mod a;\n#[expect(x)]\n#[cfg(test)]\npub(crate) mod more;"];
    for line in tests {
        assert_eq!(found(line, "domain/ids/more.rs", &long), none, "{line}");
        assert_eq!(found(line, "domain/ids/more/deeper.rs", &long.replace("super", "super::super")), none);
        // What lies above the tested module, other files and the order of the layers: as ever.
        assert_eq!(found(line, "domain/ids/more.rs", "//! Doc.\nuse super::super::X;\n").len(), 1);
        assert_eq!(found(line, "domain/ids/more.rs", "//! Doc.\nuse crate::store::X;\n").len(), 1);
        assert_eq!(found(line, "domain/ids/other.rs", &long).len(), 2, "{line}");
    }
    let others = [
        "mod more;",
        "#[cfg(not(test))]\nmod more;",
        "#[cfg(any(test, feature = \"x\"))]\nmod more;",
        "#[cfg(test)]\nuse a::B;\nmod more;",
        "// #[cfg(test)]\nmod more;",
    ];
    for line in others {
        assert_eq!(found(line, "domain/ids/more.rs", &long).len(), 2, "{line}");
    }
}

#[test]
fn a_layer_must_be_known() {
    assert_eq!(check("util.rs", "//! Doc.\n"), ["1: `util` is no layer; tests/it/layers.rs lists them"]);
}
