//! Both encodings, against bytes that Terraform sent.

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
fn numbers_arrive_in_every_format() {
    let cases: [(&[u8], &str); 10] = [
        (&[0x03], "3"),
        (&[0xff], "-1"),
        (&[0xcd, 0x15, 0x38], "5432"),
        (&[0xd0, 0x80], "-128"),
        (&[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "18446744073709551615"),
        (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], "-9223372036854775808"),
        (&[0xca, 0x3f, 0x00, 0x00, 0x00], "0.5"),
        (&[0xcb, 0x40, 0x04, 0, 0, 0, 0, 0, 0], "2.5"),
        (&[0xcb, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], "0.1"),
        (&[0xa3, b'0', b'.', b'1'], "0.1"),
    ];
    for (bytes, text) in cases {
        assert_eq!(decode(bytes, &Type::Number), Ok(number(text)), "{text}");
    }
}

#[test]
fn numbers_leave_as_the_core_writes_them() {
    let big = "123456789012345678901234567890";
    let cases = [
        ("3.0", vec![0x03]),
        ("2.5", vec![0xcb, 0x40, 0x04, 0, 0, 0, 0, 0, 0]),
        ("0.1", str_bytes("0.1")),
        ("9007199254740993", vec![0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0x01]),
        ("18446744073709551615", str_bytes("18446744073709551615")),
        (big, str_bytes(big)),
    ];
    for (text, bytes) in cases {
        assert_eq!(encode(&number(text), &Type::Number), Ok(bytes), "{text}");
    }
    let bytes = encode(&number("1e400"), &Type::Number).expect("encoded");
    assert_eq!(decode(&bytes, &Type::Number), Ok(number("1e400")));
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
    assert_eq!(decode(&[0xd4, 0, 0], &Type::Dynamic), Ok(Value::Unknown));
}

#[test]
fn an_unknown_leaves_unrefined() {
    assert_eq!(encode(&Value::Unknown, &Type::String), Ok(vec![0xd4, 0, 0]));
}

#[test]
fn a_dynamic_value_travels_with_its_type() {
    let value = Value::Dynamic(Box::new((Type::String, "x".into())));
    let mut bytes = vec![0x92, 0xc4, 0x08];
    bytes.extend_from_slice(br#""string""#);
    bytes.extend_from_slice(&[0xa1, b'x']);
    assert_eq!(encode(&value, &Type::Dynamic), Ok(bytes.clone()));
    assert_eq!(decode(&bytes, &Type::Dynamic), Ok(value.clone()));

    // The core may write the type as a string, too.
    let text = [&[0x92][..], &str_bytes(r#""string""#), &[0xa1, b'x']].concat();
    assert_eq!(decode(&text, &Type::Dynamic), Ok(value));

    let null = Value::Dynamic(Box::new((Type::String, Value::Null)));
    assert_eq!(encode(&null, &Type::Dynamic), Ok(vec![0xc0]));
    let unknown = Value::Dynamic(Box::new((Type::String, Value::Unknown)));
    assert_eq!(encode(&unknown, &Type::Dynamic), Ok(vec![0xd4, 0, 0]));
}

#[test]
fn an_object_is_written_whole_and_sorted() {
    let ty = Type::object([("b", Type::Bool), ("a", Type::String), ("c", Type::Number)]);
    let value = Value::object([("b", true.into())]);
    let bytes = vec![0x83, 0xa1, b'a', 0xc0, 0xa1, b'b', 0xc3, 0xa1, b'c', 0xc0];
    assert_eq!(encode(&value, &ty), Ok(bytes));
}

#[test]
fn attributes_that_the_type_has_not_are_named() {
    let ty = Type::object([("inner", Type::object([("a", Type::String)]))]);
    let value = Value::object([("inner", Value::object([("b", "x".into()), ("c", "y".into())]))]);
    let error = encode(&value, &ty).expect_err("refused");
    assert_eq!(error.to_string(), r#"unsupported attributes "b", "c" at inner"#);

    let bytes = [&[0x81][..], &str_bytes("old"), &[0xc0]].concat();
    let error = decode(&bytes, &ty).expect_err("refused");
    assert_eq!(error.to_string(), r#"unsupported attribute "old" at the root"#);

    let error = decode_json(br#"{"inner":{"b":null}}"#, &ty).expect_err("refused");
    assert_eq!(error.to_string(), r#"unsupported attribute "b" at inner"#);
}

#[test]
fn a_wrong_kind_is_an_error_with_its_place() {
    let ty = Type::object([("ports", Type::list(Type::Number))]);
    let bytes = [&[0x81][..], &str_bytes("ports"), &[0x92, 0x01, 0xc3]].concat();
    let error = decode(&bytes, &ty).expect_err("refused");
    assert_eq!(error.to_string(), "a number is required, found a bool at ports[1]");

    let value = Value::object([("ports", Value::list(["http"]))]);
    let error = encode(&value, &ty).expect_err("refused");
    assert_eq!(error.to_string(), "a number is required, found a string at ports[0]");

    let error = decode_json(br#"{"ports":{}}"#, &ty).expect_err("refused");
    assert_eq!(error.to_string(), "a list is required, found an object at ports");
}

#[test]
fn bytes_that_are_cut_off_or_go_on_are_refused() {
    assert!(decode(&[0xa3, b'0'], &Type::String).is_err());
    assert!(decode(&[], &Type::String).is_err());
    assert!(decode(&[0xc0, 0xc0], &Type::String).is_err());
    assert!(decode(&[0xa1, 0xff], &Type::String).is_err());
}

#[test]
fn a_tuple_has_the_length_of_its_type() {
    let ty = Type::Tuple(vec![Type::Bool, Type::String]);
    let value = Value::List(vec![true.into(), "x".into()]);
    let bytes = encode(&value, &ty).expect("encoded");
    assert_eq!(decode(&bytes, &ty), Ok(value));
    assert!(decode(&[0x91, 0xc3], &ty).is_err());
    assert!(encode(&Value::list([true]), &ty).is_err());
}

#[test]
fn values_survive_the_way_there_and_back() {
    let ty = Type::object([
        ("any", Type::Dynamic),
        ("map", Type::map(Type::list(Type::Number))),
        ("nested", Type::list(Type::object([("on", Type::Bool), ("text", Type::String)]))),
        ("set", Type::set(Type::String)),
        ("tuple", Type::Tuple(vec![Type::Number, Type::Dynamic])),
    ]);
    let numbers = ["0", "-1", "9007199254740993", "1e-30", "0.1", "1e300", "9223372036854775808"];
    let inner = Type::object([("n", Type::Number)]);
    let dynamic = (inner, Value::object([("n", number("0.25"))]));
    let whole = Value::object([
        ("any", Value::Dynamic(Box::new(dynamic))),
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
        ("tuple", Value::List(vec![Value::Null, Value::Null])),
    ]);
    for value in [whole, Value::Null, Value::Unknown] {
        let bytes = encode(&value, &ty).expect("encoded");
        assert_eq!(decode(&bytes, &ty), Ok(value));
    }
}

#[test]
fn large_numbers_in_a_state_stay_exact() {
    let ty = Type::object([("n", Type::list(Type::Number))]);
    let json = br#"{"n":[9007199254740993,0.1,123456789012345678901234567890,1e2,2.50]}"#;
    let value = decode_json(json, &ty).expect("decoded");
    let numbers = ["9007199254740993", "0.1", "123456789012345678901234567890", "100", "2.5"];
    assert_eq!(value, Value::object([("n", Value::list(numbers.map(number)))]));
}

#[test]
fn attributes_newer_than_the_state_are_null() {
    let ty = Type::object([("new", Type::map(Type::String)), ("old", Type::String)]);
    let value = decode_json(br#"{"old":"x"}"#, &ty).expect("decoded");
    assert_eq!(value, Value::object([("new", Value::Null), ("old", "x".into())]));
}

#[test]
fn a_dynamic_value_is_unwrapped_from_a_state() {
    let json = br#"{"value":["x",1],"type":["tuple",["string","number"]]}"#;
    let value = decode_json(json, &Type::Dynamic).expect("decoded");
    let ty = Type::Tuple(vec![Type::String, Type::Number]);
    let inner = Value::List(vec!["x".into(), 1_i64.into()]);
    assert_eq!(value, Value::Dynamic(Box::new((ty, inner))));
    assert_eq!(decode_json(b"null", &Type::Dynamic), Ok(Value::Null));
    assert!(decode_json(br#"{"value":1}"#, &Type::Dynamic).is_err());
}

#[test]
fn a_value_is_wholly_known_only_to_its_depth() {
    let value = Value::object([("a", Value::list(["x"]))]);
    assert!(value.is_wholly_known());
    let value = Value::object([("a", Value::List(vec![Value::Unknown]))]);
    assert!(!value.is_unknown());
    assert!(!value.is_wholly_known());
}
