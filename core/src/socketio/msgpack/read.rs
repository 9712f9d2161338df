//! MessagePack, head by head.

use rmp::Marker;

use super::ParseError;

/// What a value begins with; those without others inside are whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Head<'a> {
    Nil,
    /// fixext 1 of type 0, whatever its byte.
    Undefined,
    Bool(bool),
    Uint(u64),
    /// Below zero.
    Int(i64),
    Float(f64),
    Str(&'a [u8]),
    Bin(&'a [u8]),
    /// fixext 8 of type 0: milliseconds since 1970.
    Date(i64),
    /// ext 8, 16 or 32 of type 0.
    ArrayBuffer(&'a [u8]),
    Ext(i8, &'a [u8]),
    Array(u32),
    Map(u32),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Reader<'a> {
        Reader { rest: data }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn head(&mut self) -> Result<Head<'a>, ParseError> {
        let marker = Marker::from_u8(self.number::<1>()? as u8);
        Ok(match marker {
            Marker::FixPos(number) => Head::Uint(number.into()),
            Marker::FixNeg(number) => Head::Int(number.into()),
            Marker::FixStr(len) => Head::Str(self.bytes(len.into())?),
            Marker::FixArray(len) => self.array(len.into())?,
            Marker::FixMap(len) => self.map(len.into())?,
            Marker::Null => Head::Nil,
            Marker::True => Head::Bool(true),
            Marker::False => Head::Bool(false),
            Marker::U8 => Head::Uint(self.number::<1>()?),
            Marker::U16 => Head::Uint(self.number::<2>()?),
            Marker::U32 => Head::Uint(self.number::<4>()?),
            Marker::U64 => Head::Uint(self.number::<8>()?),
            Marker::I8 => signed((self.number::<1>()? as i8).into()),
            Marker::I16 => signed((self.number::<2>()? as i16).into()),
            Marker::I32 => signed((self.number::<4>()? as i32).into()),
            Marker::I64 => signed(self.number::<8>()? as i64),
            Marker::F32 => Head::Float(f32::from_bits(self.number::<4>()? as u32).into()),
            Marker::F64 => Head::Float(f64::from_bits(self.number::<8>()?)),
            Marker::Str8 => Head::Str(self.sized::<1>()?),
            Marker::Str16 => Head::Str(self.sized::<2>()?),
            Marker::Str32 => Head::Str(self.sized::<4>()?),
            Marker::Bin8 => Head::Bin(self.sized::<1>()?),
            Marker::Bin16 => Head::Bin(self.sized::<2>()?),
            Marker::Bin32 => Head::Bin(self.sized::<4>()?),
            Marker::Array16 => self.array_of::<2>()?,
            Marker::Array32 => self.array_of::<4>()?,
            Marker::Map16 => self.map_of::<2>()?,
            Marker::Map32 => self.map_of::<4>()?,
            Marker::FixExt1 => self.fix_ext(1)?,
            Marker::FixExt2 => self.fix_ext(2)?,
            Marker::FixExt4 => self.fix_ext(4)?,
            Marker::FixExt8 => self.fix_ext(8)?,
            Marker::FixExt16 => self.fix_ext(16)?,
            Marker::Ext8 => self.ext::<1>()?,
            Marker::Ext16 => self.ext::<2>()?,
            Marker::Ext32 => self.ext::<4>()?,
            Marker::Reserved => return Err(ParseError::Json),
        })
    }

    /// A whole value, as it is written.
    #[cfg(feature = "redis")]
    pub(crate) fn value(&mut self) -> Result<&'a [u8], ParseError> {
        let start = self.rest;
        let mut left: u64 = 1;
        while left > 0 {
            left -= 1;
            left += match self.head()? {
                Head::Array(len) => u64::from(len),
                Head::Map(len) => 2 * u64::from(len),
                _ => 0,
            };
        }
        let len = start.len() - self.rest.len();
        start.get(..len).ok_or(ParseError::Json)
    }

    /// A number of N bytes, at most eight; zeros above it.
    #[inline]
    fn number<const N: usize>(&mut self) -> Result<u64, ParseError> {
        let bytes = self.bytes(N)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    #[inline]
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], ParseError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(ParseError::Json)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Bytes that their length stands before.
    fn sized<const N: usize>(&mut self) -> Result<&'a [u8], ParseError> {
        let len = self.number::<N>()?;
        self.bytes(usize::try_from(len).map_err(|_| ParseError::Json)?)
    }

    fn array_of<const N: usize>(&mut self) -> Result<Head<'a>, ParseError> {
        let len = self.number::<N>()?;
        self.array(len as u32)
    }

    fn map_of<const N: usize>(&mut self) -> Result<Head<'a>, ParseError> {
        let len = self.number::<N>()?;
        self.map(len as u32)
    }

    /// An element has a byte at least.
    fn array(&self, len: u32) -> Result<Head<'a>, ParseError> {
        match len as usize <= self.rest.len() {
            true => Ok(Head::Array(len)),
            false => Err(ParseError::Json),
        }
    }

    fn map(&self, len: u32) -> Result<Head<'a>, ParseError> {
        match len as usize <= self.rest.len() / 2 {
            true => Ok(Head::Map(len)),
            false => Err(ParseError::Json),
        }
    }

    fn fix_ext(&mut self, len: usize) -> Result<Head<'a>, ParseError> {
        let kind = self.number::<1>()? as i8;
        let data = self.bytes(len)?;
        Ok(match (kind, data) {
            (0, [_]) => Head::Undefined,
            (0, data) => match data.try_into() {
                Ok(eight) => Head::Date(i64::from_be_bytes(eight)),
                Err(_) => Head::Ext(0, data),
            },
            _ => Head::Ext(kind, data),
        })
    }

    fn ext<const N: usize>(&mut self) -> Result<Head<'a>, ParseError> {
        let len = self.number::<N>()?;
        let kind = self.number::<1>()? as i8;
        let data = self.bytes(usize::try_from(len).map_err(|_| ParseError::Json)?)?;
        Ok(match kind {
            0 => Head::ArrayBuffer(data),
            _ => Head::Ext(kind, data),
        })
    }
}

fn signed<'a>(number: i64) -> Head<'a> {
    match u64::try_from(number) {
        Ok(number) => Head::Uint(number),
        Err(_) => Head::Int(number),
    }
}
