//! The documentation says what is so.

use super::{support::have, *};

/// Every frame of the page in one shell, as a reader would follow it.
#[test]
fn what_stands_in_the_frames_of_the_documentation_works() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/provider.md")).unwrap();
    let frames = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let frames: Vec<&str> = frames.filter(|frame| !frame.starts_with("git ") || have("git", "git")).collect();
    assert!(frames.len() >= 4);
    // The port of the page may be taken; the rest is as it stands there.
    let script = frames.concat().replace("serve ../www", "serve ../www --listen 127.0.0.1:0");
    let provider = Provider::bare();
    fs::create_dir(provider.path("home")).unwrap();
    let binary = program("svm-vendor").parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    for who in ["AUTHOR", "COMMITTER"] {
        shell.env(format!("GIT_{who}_NAME"), "t").env(format!("GIT_{who}_EMAIL"), "t@example.com");
    }
    let output = shell
        .args(["-euc", &script])
        .current_dir(provider.root.path())
        .env("HOME", provider.path("home"))
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(documents_below(&provider.path("www")).len(), 53);
    let list = provider.ok(&["list", "SUB-0001", "SUB-0002", "COM-0001"]);
    let states: Vec<_> = list["keys"].as_array().unwrap().iter().map(|key| &key["state"]).collect();
    assert_eq!(states, ["blocked", "soft_cancelled", "active"]);
    // Issued, renewed by the monthly routine, signed anew by the new signer.
    let many = provider.ok(&["list", "--auto-renew", "--expiring-within=100"]);
    let many = many["keys"].as_array().unwrap();
    assert_eq!(many.len(), 50);
    assert!(many.iter().all(|key| key["rev"] == 3));
    assert_eq!(provider.ok(&["signers"])["signers"].as_array().unwrap().len(), 1);
    provider.ok(&["pause", "SUB-0002"]);
}

#[test]
fn every_command_and_error_code_is_documented() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/vendor.md")).unwrap();
    let help = String::from_utf8(Provider::bare().run(&["--help"]).stdout).unwrap();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    // What follows a longer description on the next line is indented further.
    let first =
        commands.lines().filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let names: Vec<_> = first.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), 17);
    for name in names.iter().filter(|name| **name != "help") {
        assert!(page.contains(&format!("| `{name}")), "{name}");
    }
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/vendor/src/error/mod.rs"))
            .unwrap();
    let (_, codes) = source.split_once("pub fn code").unwrap();
    let codes: Vec<_> =
        codes.lines().filter_map(|line| line.trim().split_once("=> \"")?.1.split('"').next()).collect();
    assert!(codes.len() > 12);
    for code in codes {
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
}
