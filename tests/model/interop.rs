//! Documents and keys go both ways between this project and software it did not write: PyJWT, joserfc, OpenSSL.
//!
//! Where a tool is not there its test says `skipped:` and passes; with `SVM_TEST_REQUIRE_ALL` set it fails.

use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};
use svm_core::documents::{ActivationCode, Document, Draft, Expect, SigningKey, TrustStore, sign, verify};
use svm_core::subscription::Statement;

const ISS: &str = "provider.example";
const KINDS: [&str; 2] = ["subscription", "licence"];

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn vector(name: &str) -> String {
    fs::read_to_string(vectors().join(name)).unwrap()
}

fn claims(kind: &str) -> Value {
    serde_json::from_str(&vector(&format!("{kind}.claims.json"))).unwrap()
}

/// What this project makes of an OpenSSL public key and an `iss` line: the trust file of a provider.
fn trust_of(public_pem: &str) -> TrustStore {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("provider.pem"), format!("iss: {ISS}\n{public_pem}")).unwrap();
    let loaded = TrustStore::load(folder.path()).unwrap();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    loaded.store
}

/// Reads a document of the vectors' claims, whoever signed it.
fn reads_as(kind: &str, text: &str, trust: &TrustStore) -> Document {
    let sub = ActivationCode::parse("01234-56789-ABCDE-FGHII").unwrap().sub();
    let document = verify(text, trust, Expect { sub: Some(&sub), issuer: Some(ISS) }).unwrap();
    assert_eq!(document.statement, Statement::read(&claims(kind)).unwrap());
    assert_eq!(document.iat.as_second(), 1_767_225_600);
    document
}

fn skip(why: &str) {
    assert!(std::env::var_os("SVM_TEST_REQUIRE_ALL").is_none(), "{why}, and SVM_TEST_REQUIRE_ALL is set");
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

fn run(command: &mut Command, input: &str) -> Result<String, String> {
    let shown = format!("{command:?}");
    let failed = |e: &dyn std::fmt::Display| format!("{shown}: {e}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(&e))?;
    // A program that reads nothing closes its input early.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().map_err(|e| failed(&e))?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8(output.stdout).unwrap())
}

/// A Python with both libraries, made once below `target/`.
fn python() -> Result<&'static Path, String> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = PYTHON.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jose-venv");
        let python = folder.join("bin/python");
        let ready = || run(Command::new(&python).args(["-c", "import jwt, joserfc, cryptography"]), "");
        if ready().is_err() {
            run(Command::new("python3").args(["-m", "venv"]).arg(&folder), "")?;
            let pip =
                ["-m", "pip", "install", "-q", "--disable-pip-version-check", "pyjwt[crypto]", "joserfc"];
            run(Command::new(&python).args(pip), "")?;
            ready()?;
        }
        Ok(python)
    });
    made.as_deref().map_err(Clone::clone)
}

fn jose(python: &Path, args: &[&str], input: &str) -> String {
    run(Command::new(python).arg(vectors().join("jose.py")).args(args), input).unwrap()
}

#[test]
fn documents_that_other_libraries_made_are_read() {
    let trust = trust_of(&vector("openssl-public.pem"));
    for library in ["pyjwt", "joserfc", "joserfc-ed25519"] {
        for kind in KINDS {
            let document = reads_as(kind, &vector(&format!("{library}.{kind}.jws")), &trust);
            assert_eq!(document.kid, vector("thumbprint.txt"), "{library}");
        }
    }
}

#[test]
fn openssl_s_private_key_is_read_and_is_the_pair_of_its_public_key() {
    let key = SigningKey::read(&vectors().join("openssl-private.pem")).unwrap();
    assert_eq!(key.public().thumbprint(), vector("thumbprint.txt"));
    assert!(key.public().to_pem(ISS).ends_with(&vector("openssl-public.pem")));
}

#[test]
fn documents_go_both_ways_with_python_s_libraries() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return skip(&format!("no Python with PyJWT and joserfc ({})", why.trim())),
    };
    let folder = tempfile::tempdir().unwrap();
    let private = folder.path().join("private.pem");
    let public = folder.path().join("public.pem");
    let key = SigningKey::generate().unwrap();
    key.write_new(&private).unwrap();
    fs::write(&public, key.public().to_pem(ISS)).unwrap();
    let (private, public) = (private.to_str().unwrap(), public.to_str().unwrap());
    assert_eq!(jose(python, &["thumbprint", public], ""), key.public().thumbprint());
    let trust = TrustStore::from_keys([(key.public(), ISS.to_owned())]);
    let sub = ActivationCode::parse("01234-56789-ABCDE-FGHII").unwrap().sub();

    for kind in KINDS {
        let typ = format!("svm-{kind}+jws");
        for (library, alg) in [("pyjwt", "EdDSA"), ("joserfc", "EdDSA"), ("joserfc", "Ed25519")] {
            let text = jose(python, &["sign", library, alg, &typ, private], &claims(kind).to_string());
            reads_as(kind, &text, &trust);
        }
        let statement = Statement::read(&claims(kind)).unwrap();
        let iat = "2026-01-01T00:00:00Z".parse().unwrap();
        let draft = Draft { iss: ISS, sub: &sub, jti: "D-1", iat, statement: &statement };
        let ours = sign(&draft, &key).unwrap();
        for library in ["pyjwt", "joserfc"] {
            let read = jose(python, &["verify", library, public], &ours.text);
            let read: Value = serde_json::from_str(&read).unwrap();
            assert_eq!(read["header"]["typ"], typ.as_str());
            assert_eq!(read["header"]["kid"], ours.kid.as_str());
            assert_eq!(read["claims"]["iss"], ISS);
            assert_eq!(read["claims"]["iat"], 1_767_225_600);
            assert_eq!(Statement::read(&read["claims"]).unwrap(), statement);
        }
    }
}

#[test]
fn keys_go_both_ways_with_openssl() {
    if let Err(why) = run(Command::new("openssl").arg("version"), "") {
        return skip(&format!("no OpenSSL ({})", why.trim()));
    }
    let openssl = |args: &[&str], input: &str| run(Command::new("openssl").args(args), input).unwrap();
    let theirs = openssl(&["genpkey", "-algorithm", "ed25519"], "");
    let public = openssl(&["pkey", "-pubout"], &theirs);
    let key = SigningKey::from_pem(theirs.into()).unwrap();
    let kid = key.public().thumbprint();
    assert_eq!(trust_of(&public).signer(&kid).unwrap().key, key.public());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ours.pem");
    let ours = SigningKey::generate().unwrap();
    ours.write_new(&path).unwrap();
    let public = openssl(&["pkey", "-pubout", "-in", path.to_str().unwrap()], "");
    assert!(ours.public().to_pem(ISS).ends_with(&public));
    // It reads the trust file itself too, with the text above the key.
    openssl(&["pkey", "-pubin", "-noout"], &ours.public().to_pem(ISS));
}
