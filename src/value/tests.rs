//! Tests of both encodings, with bytes that Terraform sent.

use super::*;

fn number(text: &str) -> Value {
    Value::Number(text.parse().expect("a number"))
}

/// A `MessagePack` string of up to 31 bytes or, longer, of up to 255.
fn str_bytes(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short");
    let mut bytes = if length < 32 { vec![0xa0 | length] } else { vec![0xd9, length] };
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[test]
fn integers_arrive_in_every_format() {
    let cases: [(&[u8], &str); 7] = [
        (&[0x03], "3"),
        (&[0xff], "-1"),
        (&[0xcd, 0x15, 0x38], "5432"),
        (&[0xd0, 0x80], "-128"),
        (&[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "18446744073709551615"),
        (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], "-9223372036854775808"),
        (&[0xcb, 0x40, 0x08, 0, 0, 0, 0, 0, 0], "3"),
    ];
    for (bytes, text) in cases {
        assert_eq!(decode(bytes, &Type::Number), Ok(number(text)), "{text}");
    }
}

#[test]
fn integers_leave_as_text_because_terraform_compares_the_precision_with_which_it_reads_them() {
    for text in ["3", "-1", "9007199254740993", "18446744073709551615"] {
        assert_eq!(encode(&number(text), &Type::Number), Ok(str_bytes(text)), "{text}");
    }
}

#[test]
fn other_numbers_print_and_leave_as_they_arrived() {
    let big = "123456789012345678901234567890";
    let cases: [(Vec<u8>, &str); 5] = [
        (vec![0xcb, 0x40, 0x04, 0, 0, 0, 0, 0, 0], "2.5"),
        (vec![0xcb, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], "0.1"),
        (str_bytes("0.1"), "0.1"),
        (str_bytes("1e400"), "1e400"),
        (str_bytes(big), big),
    ];
    for (bytes, text) in cases {
        let decoded = decode(&bytes, &Type::Number).expect("a number");
        let Value::Number(number) = &decoded else { panic!("{decoded:?}") };
        assert_eq!(number.to_string(), text);
        assert_eq!(encode(&decoded, &Type::Number), Ok(bytes), "{text}");
    }
    let single = decode(&[0xca, 0x3f, 0x00, 0x00, 0x00], &Type::Number).expect("a number");
    let double = vec![0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0];
    assert_eq!(encode(&single, &Type::Number), Ok(double));
}

#[test]
fn every_extension_is_unknown() {
    // fixext1 with one zero byte; ext8 of type 12 with a refinement; the same on a collection.
    let prefix = [0xc7, 0x09, 0x0c, 0x82, 0x01, 0xc2, 0x02, 0xa4, b'p', b'r', b'e', b'-'];
    let length = [0xc7, 0x07, 0x0c, 0x82, 0x01, 0xc2, 0x03, 0x92, 0x00, 0xc3];
    assert_eq!(decode(&[0xd4, 0, 0], &Type::String), Ok(Value::Unknown));
    assert_eq!(decode(&prefix, &Type::String), Ok(Value::Unknown));
    assert_eq!(decode(&length, &Type::Number), Ok(Value::Unknown));
    assert_eq!(decode(&[0xd4, 0, 0], &Type::object([("a", Type::Bool)])), Ok(Value::Unknown));
}

#[test]
fn an_unknown_value_leaves_without_refinements() {
    assert_eq!(encode(&Value::Unknown, &Type::String), Ok(vec![0xd4, 0, 0]));
}

#[test]
fn an_object_is_written_completely_and_sorted() {
    let ty = Type::object([("b", Type::Bool), ("a", Type::String), ("c", Type::Number)]);
    let value = Value::object([("b", true.into())]);
    let bytes = vec![0x83, 0xa1, b'a', 0xc0, 0xa1, b'b', 0xc3, 0xa1, b'c', 0xc0];
    assert_eq!(encode(&value, &ty), Ok(bytes));
}

#[test]
fn unsupported_attributes_are_named() {
    let ty = Type::object([("inner", Type::object([("a", Type::String)]))]);
    let value = Value::object([("inner", Value::object([("b", "x".into()), ("c", "y".into())]))]);
    let error = encode(&value, &ty).expect_err("rejected");
    assert_eq!(error.to_string(), r#"unsupported attributes "b", "c" at inner"#);

    let bytes = [&[0x81][..], &str_bytes("old"), &[0xc0]].concat();
    let error = decode(&bytes, &ty).expect_err("rejected");
    assert_eq!(error.to_string(), r#"unsupported attribute "old" at the root"#);

    let error = decode_json(br#"{"inner":{"b":null}}"#, &ty).expect_err("rejected");
    assert_eq!(error.to_string(), r#"unsupported attribute "b" at inner"#);
}

#[test]
fn a_wrong_kind_is_an_error_with_its_path() {
    let ty = Type::object([("ports", Type::list(Type::Number))]);
    let bytes = [&[0x81][..], &str_bytes("ports"), &[0x92, 0x01, 0xc3]].concat();
    let error = decode(&bytes, &ty).expect_err("rejected");
    assert_eq!(error.to_string(), "a number is required, found a bool at ports[1]");

    let value = Value::object([("ports", Value::list(["http"]))]);
    let error = encode(&value, &ty).expect_err("rejected");
    assert_eq!(error.to_string(), "a number is required, found a string at ports[0]");

    let error = decode_json(br#"{"ports":{}}"#, &ty).expect_err("rejected");
    assert_eq!(error.to_string(), "a list is required, found an object at ports");
}

#[test]
fn truncated_bytes_and_trailing_bytes_are_rejected() {
    assert!(decode(&[0xa3, b'0'], &Type::String).is_err());
    assert!(decode(&[], &Type::String).is_err());
    assert!(decode(&[0xc0, 0xc0], &Type::String).is_err());
    assert!(decode(&[0xa1, 0xff], &Type::String).is_err());
    assert!(decode(&[0x91; 100_000], &Type::String).is_err());
}

#[test]
fn values_survive_encoding_and_decoding() {
    let ty = Type::object([
        ("map", Type::map(Type::list(Type::Number))),
        ("nested", Type::list(Type::object([("on", Type::Bool), ("text", Type::String)]))),
        ("set", Type::set(Type::String)),
    ]);
    let numbers = ["0", "-1", "9007199254740993", "1e-30", "0.1", "1e300", "9223372036854775808"];
    let whole = Value::object([
        ("map", Value::map([("numbers", Value::list(numbers.map(number)))])),
        (
            "nested",
            Value::List(vec![
                Value::Null,
                Value::Unknown,
                Value::object([("on", Value::Unknown), ("text", "späte Ölbäume ✓".into())]),
            ]),
        ),
        ("set", Value::list(["a", "b"])),
    ]);
    for value in [whole, Value::Null, Value::Unknown] {
        let bytes = encode(&value, &ty).expect("encoded");
        assert_eq!(decode(&bytes, &ty), Ok(value));
    }
}

#[test]
fn numbers_in_a_state_stay_exact() {
    let ty = Type::object([("n", Type::list(Type::Number))]);
    let json = br#"{"n":[9007199254740993,0.1,123456789012345678901234567890,1e2,2.50]}"#;
    let value = decode_json(json, &ty).expect("decoded");
    let numbers = ["9007199254740993", "0.1", "123456789012345678901234567890", "1e+2", "2.50"];
    assert_eq!(value, Value::object([("n", Value::list(numbers.map(number)))]));
}

#[test]
fn attributes_newer_than_the_state_are_null() {
    let ty = Type::object([("new", Type::map(Type::String)), ("old", Type::String)]);
    let value = decode_json(br#"{"old":"x"}"#, &ty).expect("decoded");
    assert_eq!(value, Value::object([("new", Value::Null), ("old", "x".into())]));
}

#[test]
fn a_value_is_wholly_known_only_if_its_elements_are() {
    let value = Value::object([("a", Value::list(["x"]))]);
    assert!(value.is_wholly_known());
    let value = Value::object([("a", Value::List(vec![Value::Unknown]))]);
    assert!(!value.is_unknown());
    assert!(!value.is_wholly_known());
}
