//! Ranges of addresses: `10.0.0.0/8`, `fd00::/8`, or a single address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses. IPv4 addresses in the form `::ffff:a.b.c.d` count as what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Whether `address` lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                leading(u128::from(network.to_bits() ^ address.to_bits()), 32, self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                leading(network.to_bits() ^ address.to_bits(), 128, self.prefix)
            }
            _ => false,
        }
    }

    /// Whether the range holds every address of its family.
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }
}

/// Whether the first `prefix` of `width` bits are zero.
fn leading(bits: u128, width: u32, prefix: u8) -> bool {
    bits.checked_shr(width - u32::from(prefix)).unwrap_or(0) == 0
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "found \"{}\", which is no range of addresses; write one like \"10.0.0.0/8\", \"fd00::/8\" or \"192.0.2.7\"",
                text.escape_debug()
            )
        };
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let network: IpAddr = address.parse().map_err(|_| refuse())?;
        let width: u8 = if network.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(prefix) if prefix.starts_with('+') || (prefix.len() > 1 && prefix.starts_with('0')) => {
                return Err(refuse());
            }
            Some(prefix) => prefix.parse().ok().filter(|p| *p <= width).ok_or_else(refuse)?,
        };
        let first = first(network, width, prefix);
        if network != first {
            return Err(format!(
                "found \"{text}\", whose address has bits set behind the prefix; write \"{first}/{prefix}\""
            ));
        }
        Ok(Self { network, prefix })
    }
}

/// The first address of the range.
fn first(address: IpAddr, width: u8, prefix: u8) -> IpAddr {
    let behind = u32::from(width - prefix);
    match address {
        IpAddr::V4(a) => {
            IpAddr::V4(a.to_bits().checked_shr(behind).unwrap_or(0).checked_shl(behind).unwrap_or(0).into())
        }
        IpAddr::V6(a) => {
            IpAddr::V6(a.to_bits().checked_shr(behind).unwrap_or(0).checked_shl(behind).unwrap_or(0).into())
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

super::keyword::as_text!(Cidr, "a range of addresses in quotes, like \"10.0.0.0/8\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_addresses() {
        let holds = |range: &str, address: &str| range.parse::<Cidr>().unwrap().contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(holds("192.0.2.7", "192.0.2.7"));
        assert!(!holds("192.0.2.7", "192.0.2.8"));
        assert!(holds("0.0.0.0/0", "203.0.113.9"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(holds("fd00::/8", "fd12::1"));
        assert!(!holds("fd00::/8", "fe80::1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(holds("::1", "::1"));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for bad in
            ["", "10.0.0.0/33", "10.0.0.1/8", "10.0/8", "::/129", "10.0.0.0/", "10.0.0.0/08", "host", "10.0.0.0/+8"]
        {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
        assert_eq!("fd00::/8".parse::<Cidr>().unwrap().to_string(), "fd00::/8");
        assert!("10.0.0.1/8".parse::<Cidr>().unwrap_err().contains("write \"10.0.0.0/8\""));
    }
}
