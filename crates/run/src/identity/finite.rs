//! The first float in a value that is not finite. serde_json writes such a float as `null`, so it has to be found
//! before the parameters are stored; a serializer that writes nothing finds it with the path to it.

use std::fmt;

use serde::Serialize;
use serde::ser::{self, Serializer};

/// The path to the first float that is infinite or not a number: `market.rates[2]`; empty if it is the value itself.
/// `None` if all are finite.
///
/// A value that refuses to be serialised is no business of this function: it stops there, and what was seen until then
/// was finite.
#[must_use]
pub fn first_not_finite<T: Serialize + ?Sized>(value: &T) -> Option<String> {
    let mut search = Search::default();
    match value.serialize(&mut search) {
        Err(Stop::NotFinite) => Some(search.path.concat().trim_start_matches('.').to_owned()),
        Err(Stop::Refused) | Ok(()) => None,
    }
}

/// Walks through a value. `path` leads to where it is.
#[derive(Default)]
struct Search {
    path: Vec<String>,
}

/// A sequence, map or struct on the way.
struct Inside<'s> {
    search: &'s mut Search,
    /// The number of the next element, where elements have no names.
    index: usize,
    /// Whether the variant of an enum is a step of the path, to be taken back at the end.
    is_variant: bool,
}

#[derive(Debug)]
enum Stop {
    NotFinite,
    Refused,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFinite => "a float is not finite",
            Self::Refused => "the value cannot be serialised",
        })
    }
}

impl std::error::Error for Stop {}

impl ser::Error for Stop {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self::Refused
    }
}

impl Search {
    /// Takes a step, looks at what is there, and takes the step back; not if the search ended, for then the path is
    /// what was looked for.
    fn step<T: Serialize + ?Sized>(&mut self, step: String, value: &T) -> Result<(), Stop> {
        self.path.push(step);
        value.serialize(&mut *self)?;
        self.path.pop();
        Ok(())
    }

    fn enter(&mut self, variant: Option<&str>) -> Inside<'_> {
        self.path.extend(variant.map(field_step));
        Inside {
            search: self,
            index: 0,
            is_variant: variant.is_some(),
        }
    }
}

fn field_step(name: &str) -> String {
    format!(".{name}")
}

impl Inside<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        let step = format!("[{}]", self.index);
        self.index += 1;
        self.search.step(step, value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Stop> {
        self.search.step(field_step(name), value)
    }

    fn leave(self) -> Result<(), Stop> {
        if self.is_variant {
            self.search.path.pop();
        }
        Ok(())
    }
}

/// Types that hold no float.
macro_rules! finite {
    ($($method:ident($($argument:ty),*);)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<(), Stop> {
            Ok(())
        })*
    };
}

impl<'s> Serializer for &'s mut Search {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = Inside<'s>;
    type SerializeTuple = Inside<'s>;
    type SerializeTupleStruct = Inside<'s>;
    type SerializeTupleVariant = Inside<'s>;
    type SerializeMap = Inside<'s>;
    type SerializeStruct = Inside<'s>;
    type SerializeStructVariant = Inside<'s>;

    finite! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    fn serialize_f32(self, value: f32) -> Result<(), Stop> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Stop> {
        if value.is_finite() {
            Ok(())
        } else {
            Err(Stop::NotFinite)
        }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Stop> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        self.step(field_step(variant), value)
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Inside<'s>, Stop> {
        Ok(self.enter(None))
    }

    fn serialize_tuple(self, _length: usize) -> Result<Inside<'s>, Stop> {
        Ok(self.enter(None))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Inside<'s>, Stop> {
        Ok(self.enter(None))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Inside<'s>, Stop> {
        Ok(self.enter(Some(variant)))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Inside<'s>, Stop> {
        Ok(self.enter(None))
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Inside<'s>, Stop> {
        Ok(self.enter(None))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Inside<'s>, Stop> {
        Ok(self.enter(Some(variant)))
    }
}

/// Traits whose elements are numbered.
macro_rules! numbered {
    ($($trait:ident::$method:ident,)*) => {
        $(impl ser::$trait for Inside<'_> {
            type Ok = ();
            type Error = Stop;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
                self.element(value)
            }

            fn end(self) -> Result<(), Stop> {
                self.leave()
            }
        })*
    };
}

/// Traits whose fields are named.
macro_rules! named {
    ($($trait:ident,)*) => {
        $(impl ser::$trait for Inside<'_> {
            type Ok = ();
            type Error = Stop;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Stop> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Stop> {
                self.leave()
            }
        })*
    };
}

numbered! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

named! {
    SerializeStruct,
    SerializeStructVariant,
}

impl ser::SerializeMap for Inside<'_> {
    type Ok = ();
    type Error = Stop;

    /// The key becomes the step that `serialize_value` takes, and is looked at itself: a float may be a key.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Stop> {
        let text = serde_json::to_string(key).map_err(|_| Stop::Refused)?;
        self.search.path.push(field_step(text.trim_matches('"')));
        key.serialize(&mut *self.search)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        value.serialize(&mut *self.search)?;
        self.search.path.pop();
        Ok(())
    }

    fn end(self) -> Result<(), Stop> {
        self.leave()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize)]
    struct Market {
        name: &'static str,
        spot: f64,
        rates: Vec<f32>,
        pair: (u64, f64),
        by_year: BTreeMap<String, f64>,
        model: Option<Model>,
    }

    #[derive(Serialize)]
    enum Model {
        Flat,
        Fixed(f64),
        Range(f64, f64),
        Heston { kappa: f64 },
    }

    #[derive(Serialize)]
    struct Wrapped {
        market: Market,
        last: f64,
    }

    fn wrapped() -> Wrapped {
        let market = Market {
            name: "NaN",
            spot: f64::MAX,
            rates: vec![0.0, f32::MIN_POSITIVE],
            pair: (u64::MAX, -0.0),
            by_year: BTreeMap::from([("2030".into(), 1.0), ("2031".into(), 2.0)]),
            model: Some(Model::Flat),
        };
        Wrapped { market, last: 1.0 }
    }

    #[test]
    fn all_finite_is_none() {
        let mut value = wrapped();
        for model in [
            Model::Flat,
            Model::Fixed(1.0),
            Model::Range(0.0, 1.0),
            Model::Heston { kappa: 1.0 },
        ] {
            value.market.model = Some(model);
            assert_eq!(first_not_finite(&value), None);
        }
        value.market.model = None;
        assert_eq!(first_not_finite(&value), None);
        assert_eq!(first_not_finite(&()), None);
    }

    #[test]
    fn the_path_leads_to_the_float() {
        type Spoil = fn(&mut Wrapped);
        let cases: [(&str, Spoil); 8] = [
            ("market.spot", |w| w.market.spot = f64::NAN),
            ("market.rates[1]", |w| w.market.rates[1] = f32::INFINITY),
            ("market.pair[1]", |w| w.market.pair.1 = f64::NEG_INFINITY),
            ("market.by_year.2031", |w| {
                w.market.by_year.insert("2031".into(), f64::NAN);
            }),
            ("market.model.Fixed", |w| {
                w.market.model = Some(Model::Fixed(f64::NAN))
            }),
            ("market.model.Range[1]", |w| {
                w.market.model = Some(Model::Range(0.0, f64::NAN));
            }),
            ("market.model.Heston.kappa", |w| {
                w.market.model = Some(Model::Heston { kappa: f64::NAN });
            }),
            // After all the others were entered and left.
            ("last", |w| {
                w.market.model = Some(Model::Heston { kappa: 1.0 });
                w.last = f64::NAN;
            }),
        ];
        for (path, spoil) in cases {
            let mut value = wrapped();
            spoil(&mut value);
            assert_eq!(first_not_finite(&value), Some(path.into()));
        }
        assert_eq!(first_not_finite(&f64::NAN), Some(String::new()));
        assert_eq!(
            first_not_finite(&[[1.0], [f64::NAN]]),
            Some("[1][0]".into())
        );
    }
}
