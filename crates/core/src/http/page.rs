//! Web pages, told from the answers of receivers.

/// Whether a body is a web page, such as that of a log-in or a proxy, by how it begins. A content type says little: many
/// receivers call everything `text/html`.
pub fn is_page(body: &[u8]) -> bool {
    const BEGINNINGS: [&str; 12] = [
        "!doctype html",
        "html",
        "head",
        "body",
        "title",
        "meta",
        "script",
        "style",
        "link",
        "frameset",
        "iframe",
        "form",
    ];
    let text = String::from_utf8_lossy(body.get(..body.len().min(4096)).unwrap_or_default());
    let mut text = crate::text::trim_pasted(&text);
    // Comments and processing instructions may come before.
    for (opens, closes) in std::iter::repeat_n([("<!--", "-->"), ("<?", "?>")], 8).flatten() {
        if let Some((_, rest)) = text.strip_prefix(opens).and_then(|rest| rest.split_once(closes)) {
            text = crate::text::trim_pasted(rest);
        }
    }
    let Some(tag) = text.strip_prefix('<') else { return false };
    BEGINNINGS.iter().any(|beginning| {
        tag.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
            && !tag
                .get(beginning.len()..)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_how_it_begins() {
        for page in [
            "<!DOCTYPE html><p>x",
            "<!doctype HTML PUBLIC \"x\">",
            "\u{feff}\r\n <html lang=\"en\">",
            "<HTML>",
            "<html\n>",
            "<!-- a --> <!-- b --><html>",
            "<?xml version=\"1.0\"?>\n<!DOCTYPE html>",
            "<head><title>",
            "<script>location='x'</script>",
            "<meta http-equiv=refresh>",
            "<body/>",
            "<form action=/login>",
        ] {
            assert!(is_page(page.as_bytes()), "{page}");
        }
        for other in [
            "",
            "OK",
            "ok\n",
            "<p>OK</p>",
            "<h1>Accepted</h1>",
            "<ok/>",
            "<header/>",
            "<html5ish>",
            "{\"html\":\"<html>\"}",
            "text <html>",
            "<?xml version=\"1.0\"?><response status=\"ok\"/>",
            "<!-- html",
            "<",
        ] {
            assert!(!is_page(other.as_bytes()), "{other}");
        }
        assert!(!is_page(&[0xff, 0xfe, 0]));
    }
}
