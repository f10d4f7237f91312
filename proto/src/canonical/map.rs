//! Maps whose keys people choose, in the order of RFC 8785, 3.2.3.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A key, ordered by its UTF-16 code units.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Key(String);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&self.0, &other.0)
    }
}

/// The order of two keys: by UTF-16 code units, which up to U+FFFF (three bytes in UTF-8) is by bytes.
pub(super) fn order(first: &str, second: &str) -> Ordering {
    let beyond = |key: &str| key.bytes().any(|byte| byte >= 0xf0);
    if beyond(first) || beyond(second) {
        return first.encode_utf16().cmp(second.encode_utf16());
    }
    first.cmp(second)
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A map with any strings as keys, written in canonical order; reading refuses a key given twice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Map<V>(BTreeMap<Key, V>);

impl<V> Default for Map<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V> Map<V> {
    /// Puts `value` under `key` and returns what was there.
    pub fn insert(&mut self, key: String, value: V) -> Option<V> {
        self.0.insert(Key(key), value)
    }

    /// What is under `key`.
    pub fn find(&self, key: &str) -> Option<&V> {
        self.0.get(&Key(key.to_owned()))
    }

    /// Keys and values in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(key, value)| (key.0.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V> FromIterator<(String, V)> for Map<V> {
    fn from_iter<I: IntoIterator<Item = (String, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (Key(key), value)).collect())
    }
}

impl<V: Serialize> Serialize for Map<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Map<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Pairs<V> {
            type Value = Map<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Map<V>, A::Error> {
                let mut map = Map::default();
                while let Some((key, value)) = pairs.next_entry::<String, V>()? {
                    match map.0.entry(Key(key)) {
                        Entry::Vacant(place) => place.insert(value),
                        Entry::Occupied(taken) => {
                            let key = &taken.key().0;
                            return Err(A::Error::custom(format_args!("the key `{key}` is given twice")));
                        }
                    };
                }
                Ok(map)
            }
        }
        deserializer.deserialize_map(Pairs(PhantomData))
    }
}
