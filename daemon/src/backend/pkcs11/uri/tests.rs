#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use proptest::prelude::*;

use super::*;

#[test]
fn the_form_that_other_tools_print_is_read() {
    let uri: Uri =
        "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=753dd25d26b00fbc;token=lab;\
                    id=%79%85%EB%D3;object=p256;type=private"
            .parse()
            .unwrap();
    assert_eq!(uri.model.as_deref(), Some("SoftHSM v2"));
    assert_eq!(uri.id.as_deref(), Some(&[0x79, 0x85, 0xeb, 0xd3][..]));
    assert!(uri.names_a_key() && !uri.token_only().names_a_key());
    assert!(uri.matches_token("lab   ", "SoftHSM project", "SoftHSM v2      ", "753dd25d26b00fbc"));
    assert!(!uri.matches_token("lab", "SoftHSM project", "SoftHSM v2", "0000000000000000"));
}

#[test]
fn what_has_no_place_is_refused_by_name_and_never_shown_back() {
    let refusal = |text: &str| text.parse::<Uri>().unwrap_err().to_string();
    let pin = refusal("pkcs11:token=lab?pin-value=987654");
    assert!(pin.contains("pin-value") && pin.contains("pin = {") && !pin.contains("987654"), "{pin}");
    assert!(!refusal("pkcs11:pin-value=987654").contains("987654"));
    assert!(refusal("pkcs11:token=a?module-path=/x.so").contains("[backend.NAME]"));
    assert!(refusal("pkcs11:token=a?pin-source=file:/x").contains("[backend.NAME]"));
    assert!(refusal("pkcs11:slot-id=3").contains("renumbered"));
    assert!(refusal("pkcs11:label=x").contains("`object`"));
    assert!(refusal("pkcs11:token=a;token=b").contains("twice"));
    assert!(refusal("pkcs11:id=%01;id=%02").contains("twice"));
    assert!(refusal("pkcs11:type=private;type=private").contains("twice"));
    assert!(refusal("pkcs11:type=public").contains("type=private"));
    for bad in [
        "pkcs11:token",
        "pkcs11:token=",
        "pkcs11:;",
        "pkcs11:token=%4",
        "pkcs11:token=a b",
        "pkcs11:id=",
        "pkcs11:?",
    ] {
        assert!(bad.parse::<Uri>().is_err(), "{bad}");
    }
    assert_eq!("pkcs11:token=%ff".parse::<Uri>(), Err(UriError::NotText("token".to_owned())));
    assert_eq!(format!("pkcs11:token={}", "a".repeat(LONGEST)).parse::<Uri>(), Err(UriError::Form));
}

fn uris() -> impl Strategy<Value = Uri> {
    let text = || proptest::option::of("\\PC{1,12}");
    let id = proptest::option::of(proptest::collection::vec(any::<u8>(), 1..20));
    (text(), text(), text(), text(), text(), id, any::<bool>()).prop_map(
        |(token, manufacturer, model, serial, object, id, private)| Uri {
            token,
            manufacturer,
            model,
            serial,
            object,
            id,
            private,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(uri in uris()) {
        prop_assert_eq!(uri.to_string().parse::<Uri>().unwrap(), uri);
    }

    #[test]
    fn nothing_panics_and_what_is_accepted_is_stable(text in "(pkcs11:)?[a-z=;%0-9?&-]{0,60}") {
        if let Ok(uri) = text.parse::<Uri>() {
            prop_assert_eq!(uri.to_string().parse::<Uri>().unwrap(), uri);
        }
    }
}
