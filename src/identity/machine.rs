//! Looking at what names this machine: which values count, and digests of them.
//!
//! `machine-id(5)` asks that a machine-id does not leave its machine: like `sd_id128_get_machine_app_specific(3)`, a
//! digest is keyed with the value, over a number that is this program's own.

use super::binding::{Binding, Mark};
use crate::config::IdentitySettings;
use std::path::Path;
use uuid::Uuid;

/// This program, where it asks for a machine-id. `systemd-id128 machine-id --app-specific=` gives the same digest.
const MACHINE_ID: [u8; 16] = 0x6f3c_1b0e_9a4d_4e7b_8c52_d1a7_e0f4_936b_u128.to_be_bytes();

/// The same for a product UUID.
const PRODUCT_UUID: [u8; 16] = 0xb1d7_5a30_2c8e_4f96_a0e4_7719_3fd8_c25e_u128.to_be_bytes();

/// What vendors leave in the firmware of many machines; beside these, what repeats one byte.
const PLACEHOLDERS: [Uuid; 4] = [
    Uuid::from_u128(0x0300_0200_0400_0500_0006_0007_0008_0009),
    Uuid::from_u128(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f),
    Uuid::from_u128(0x1234_5678_1234_5678_90ab_cdde_efaa_bbcc),
    Uuid::from_u128(0x4c4c_4544_0000_2010_8020_80c0_4f20_2020),
];

/// No file that is read here is longer.
const MOST: u64 = 4096;

/// The marks of this machine that its caller may read.
pub(super) fn read_machine_identity(settings: &IdentitySettings) -> Binding {
    let text = |file: &Option<_>| file.as_deref().and_then(read);
    Binding {
        machine_id: text(&settings.machine_id_file).and_then(|text| machine_id(&text)),
        product_uuid: text(&settings.product_uuid_file).and_then(|text| product_uuid(&text)),
    }
}

fn read(file: &Path) -> Option<String> {
    svm_core::files::read_text_bounded(file, MOST).ok()
}

/// The digest of a machine-id; `None` where it is empty, `uninitialized` or none.
fn machine_id(text: &str) -> Option<Mark> {
    let id = text.trim();
    let plain = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let id = u128::from_str_radix(id, 16).ok().filter(|id| plain && *id != 0)?;
    Some(digest(&id.to_be_bytes(), &MACHINE_ID))
}

/// The digest of a product UUID; `None` where it is missing, or one that many machines have.
///
/// Its first three fields stand in either byte order, by the version of SMBIOS that the hypervisor speaks: both count as
/// one.
fn product_uuid(text: &str) -> Option<Mark> {
    let uuid = Uuid::try_parse(text.trim()).ok()?;
    let swapped = Uuid::from_bytes(uuid.to_bytes_le());
    let first = uuid.as_bytes().first();
    let repeats = uuid.as_bytes().iter().all(|byte| Some(byte) == first);
    if repeats || PLACEHOLDERS.contains(&uuid) || PLACEHOLDERS.contains(&swapped) {
        return None;
    }
    Some(digest(uuid.min(swapped).as_bytes(), &PRODUCT_UUID))
}

/// HMAC-SHA256 of the program's number, keyed with the value; 16 bytes of it, in the form of a UUIDv4.
fn digest(value: &[u8; 16], program: &[u8; 16]) -> Mark {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, value);
    let tag = ring::hmac::sign(&key, program);
    let bytes = tag.as_ref().first_chunk().copied().unwrap_or_default();
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
    Mark(id.simple().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_id_counts_as_systemd_digests_it() {
        // systemd-id128 machine-id --app-specific=6f3c1b0e9a4d4e7b8c52d1a7e0f4936b
        let digest = Some(Mark("f9f3988b1c6f456f85036ccb6a4304f3".to_owned()));
        assert_eq!(machine_id("3d1219c7c4c5404aaa1f6d2a48adfda4\n"), digest);
        assert_eq!(machine_id("3D1219C7C4C5404AAA1F6D2A48ADFDA4"), digest);
        for none in [
            "",
            "\n",
            "uninitialized\n",
            "00000000000000000000000000000000",
            "3d1219c7",
            "+d1219c7c4c5404aaa1f6d2a48adfda4",
        ] {
            assert_eq!(machine_id(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_product_uuid_is_the_same_in_either_byte_order() {
        let here = product_uuid("4c3d2b1a-6f5e-8a79-9bac-bdcedfe0f102\n");
        assert!(here.is_some());
        assert_eq!(here, product_uuid("1A2B3D4C-5E6F-798A-9BAC-BDCEDFE0F102"));
        assert_ne!(here, product_uuid("4c3d2b1a-6f5e-8a79-9bac-bdcedfe0f103"));
        // Nobody who has one digest knows whether it is of the other's value.
        assert_ne!(
            product_uuid("3d1219c7-c4c5-404a-aa1f-6d2a48adfda4"),
            machine_id("3d1219c7c4c5404aaa1f6d2a48adfda4")
        );
    }

    #[test]
    fn what_many_machines_have_says_nothing() {
        for none in [
            "",
            "Not Settable",
            "To be filled by O.E.M.",
            "00000000-0000-0000-0000-000000000000",
            "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "fefefefe-fefe-fefe-fefe-fefefefefefe",
            "03000200-0400-0500-0006-000700080009",
            "00020003-0004-0005-0006-000700080009",
            "12345678-1234-5678-90AB-CDDEEFAABBCC",
            "00010203-0405-0607-0809-0a0b0c0d0e0f",
            "4C4C4544-0000-2010-8020-80C04F202020",
        ] {
            assert_eq!(product_uuid(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_file_that_is_away_or_no_text_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("machine-id");
        let settings = IdentitySettings { machine_id_file: Some(file.clone()), product_uuid_file: None };
        assert_eq!(read_machine_identity(&settings), Binding::default());
        std::fs::write(&file, [0xff; 33]).unwrap();
        assert_eq!(read_machine_identity(&settings), Binding::default());
        std::fs::write(&file, "3d1219c7c4c5404aaa1f6d2a48adfda4\n").unwrap();
        assert_eq!(read_machine_identity(&settings).names(), ["machine_id"]);
    }
}
