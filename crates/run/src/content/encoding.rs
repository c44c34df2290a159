//! The encoding that content is a digest of, as a serialiser. Apart, because it is frozen.

use std::fmt;

use serde::ser::{self, Serialize};

pub(super) trait Sink {
    fn write(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

mod tag {
    pub(super) const BOOL: u8 = 1;
    pub(super) const UNSIGNED: u8 = 2;
    pub(super) const SIGNED: u8 = 3;
    pub(super) const F64: u8 = 4;
    pub(super) const F32: u8 = 5;
    pub(super) const TEXT: u8 = 6;
    pub(super) const BYTES: u8 = 7;
    pub(super) const NONE: u8 = 8;
    pub(super) const SOME: u8 = 9;
    pub(super) const UNIT: u8 = 10;
    pub(super) const SEQUENCE: u8 = 11;
    pub(super) const END: u8 = 12;
    pub(super) const MAP: u8 = 13;
    pub(super) const STRUCT: u8 = 14;
    pub(super) const VARIANT: u8 = 15;
}

pub(super) struct Encoder<'a, S> {
    pub(super) sink: &'a mut S,
}

#[derive(Debug)]
pub(super) struct Unencodable(pub(super) String);

impl fmt::Display for Unencodable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unencodable {}

impl ser::Error for Unencodable {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl<S: Sink> Encoder<'_, S> {
    fn tagged(&mut self, tag: u8, bytes: &[u8]) -> Result<(), Unencodable> {
        self.sink.write(&[tag]);
        self.sink.write(bytes);
        Ok(())
    }

    fn sized(&mut self, tag: u8, bytes: &[u8]) -> Result<(), Unencodable> {
        self.tagged(tag, &(bytes.len() as u64).to_le_bytes())?;
        self.sink.write(bytes);
        Ok(())
    }

    fn open(&mut self, tag: u8) {
        self.sink.write(&[tag]);
    }

    fn variant(&mut self, name: &str) -> Result<(), Unencodable> {
        self.sized(tag::VARIANT, name.as_bytes())
    }
}

impl<'a, 'b, S: Sink> ser::Serializer for &'a mut Encoder<'b, S> {
    type Ok = ();
    type Error = Unencodable;
    type SerializeSeq = Group<'a, 'b, S>;
    type SerializeTuple = Group<'a, 'b, S>;
    type SerializeTupleStruct = Group<'a, 'b, S>;
    type SerializeTupleVariant = Group<'a, 'b, S>;
    type SerializeMap = Entries<'a, 'b, S>;
    type SerializeStruct = Group<'a, 'b, S>;
    type SerializeStructVariant = Group<'a, 'b, S>;

    fn serialize_bool(self, value: bool) -> Result<(), Unencodable> {
        self.tagged(tag::BOOL, &[u8::from(value)])
    }
    fn serialize_i8(self, value: i8) -> Result<(), Unencodable> {
        self.serialize_i64(value.into())
    }
    fn serialize_i16(self, value: i16) -> Result<(), Unencodable> {
        self.serialize_i64(value.into())
    }
    fn serialize_i32(self, value: i32) -> Result<(), Unencodable> {
        self.serialize_i64(value.into())
    }
    fn serialize_i64(self, value: i64) -> Result<(), Unencodable> {
        self.tagged(tag::SIGNED, &value.to_le_bytes())
    }
    fn serialize_u8(self, value: u8) -> Result<(), Unencodable> {
        self.serialize_u64(value.into())
    }
    fn serialize_u16(self, value: u16) -> Result<(), Unencodable> {
        self.serialize_u64(value.into())
    }
    fn serialize_u32(self, value: u32) -> Result<(), Unencodable> {
        self.serialize_u64(value.into())
    }
    fn serialize_u64(self, value: u64) -> Result<(), Unencodable> {
        self.tagged(tag::UNSIGNED, &value.to_le_bytes())
    }
    fn serialize_f32(self, value: f32) -> Result<(), Unencodable> {
        self.tagged(tag::F32, &value.to_bits().to_le_bytes())
    }
    fn serialize_f64(self, value: f64) -> Result<(), Unencodable> {
        self.tagged(tag::F64, &value.to_bits().to_le_bytes())
    }
    fn serialize_char(self, value: char) -> Result<(), Unencodable> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Result<(), Unencodable> {
        self.sized(tag::TEXT, value.as_bytes())
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unencodable> {
        self.sized(tag::BYTES, value)
    }
    fn serialize_none(self) -> Result<(), Unencodable> {
        self.tagged(tag::NONE, &[])
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unencodable> {
        self.open(tag::SOME);
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), Unencodable> {
        self.tagged(tag::UNIT, &[])
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unencodable> {
        self.serialize_unit()
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Unencodable> {
        self.variant(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unencodable> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unencodable> {
        self.variant(variant)?;
        value.serialize(self)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Unencodable> {
        self.open(tag::SEQUENCE);
        Ok(Group(self))
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Unencodable> {
        self.open(tag::SEQUENCE);
        Ok(Group(self))
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unencodable> {
        self.open(tag::SEQUENCE);
        Ok(Group(self))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unencodable> {
        self.variant(variant)?;
        self.open(tag::SEQUENCE);
        Ok(Group(self))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unencodable> {
        self.open(tag::MAP);
        Ok(Entries {
            encoder: self,
            entries: Vec::new(),
        })
    }
    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, Unencodable> {
        self.open(tag::STRUCT);
        Ok(Group(self))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unencodable> {
        self.variant(variant)?;
        self.open(tag::STRUCT);
        Ok(Group(self))
    }
}

/// Elements or fields, up to an end mark.
pub(super) struct Group<'a, 'b, S>(&'a mut Encoder<'b, S>);

macro_rules! elements {
    ($($group:ident $method:ident),*) => {$(
        impl<S: Sink> ser::$group for Group<'_, '_, S> {
            type Ok = ();
            type Error = Unencodable;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unencodable> {
                value.serialize(&mut *self.0)
            }
            fn end(self) -> Result<(), Unencodable> {
                self.0.tagged(tag::END, &[])
            }
        }
    )*};
}
elements!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! fields {
    ($($group:ident),*) => {$(
        impl<S: Sink> ser::$group for Group<'_, '_, S> {
            type Ok = ();
            type Error = Unencodable;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Unencodable> {
                self.0.sized(tag::TEXT, name.as_bytes())?;
                value.serialize(&mut *self.0)
            }
            fn end(self) -> Result<(), Unencodable> {
                self.0.tagged(tag::END, &[])
            }
        }
    )*};
}
fields!(SerializeStruct, SerializeStructVariant);

/// A map's entries, encoded apart so that they can be sorted.
pub(super) struct Entries<'a, 'b, S> {
    encoder: &'a mut Encoder<'b, S>,
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<S: Sink> ser::SerializeMap for Entries<'_, '_, S> {
    type Ok = ();
    type Error = Unencodable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unencodable> {
        self.entries.push((encoded(key)?, Vec::new()));
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unencodable> {
        let value = encoded(value)?;
        if let Some(entry) = self.entries.last_mut() {
            entry.1 = value;
        }
        Ok(())
    }
    fn end(mut self) -> Result<(), Unencodable> {
        self.entries.sort();
        for (key, value) in &self.entries {
            self.encoder.sink.write(key);
            self.encoder.sink.write(value);
        }
        self.encoder.tagged(tag::END, &[])
    }
}

pub(super) fn encoded<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Unencodable> {
    let mut bytes = Vec::new();
    value.serialize(&mut Encoder { sink: &mut bytes })?;
    Ok(bytes)
}
