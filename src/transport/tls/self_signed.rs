//! The certificate of the first start: signed by itself, for the names and addresses this machine is reached by.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use time::{Duration, OffsetDateTime};

use super::TlsError;

/// The longest that browsers accept.
const DAYS: i64 = 397;

/// Makes a certificate and its key when neither file is there; says whether it did. The names are `localhost`, both loopback
/// addresses, the machine's name, the addresses in `bound`, and `public_host` where it is not empty. The key is
/// readable for its owner only.
///
/// # Errors
/// When only one of the two is there (somebody lost the other), or a file cannot be written.
pub fn make_if_missing(
    certificate: &Path,
    key: &Path,
    bound: &[SocketAddr],
    public_host: &str,
) -> Result<bool, TlsError> {
    match (certificate.exists(), key.exists()) {
        (true, true) => return Ok(false),
        (true, false) => return Err(missing(key, certificate)),
        (false, true) => return Err(missing(certificate, key)),
        (false, false) => {}
    }
    let wrong = |e: rcgen::Error| TlsError::new(format!("no certificate can be made: {e}"));
    let pair = KeyPair::generate().map_err(wrong)?;
    let mut params = CertificateParams::new(names(bound, public_host)).map_err(wrong)?;
    let now = OffsetDateTime::now_utc();
    // An hour back, for clocks that are behind.
    params.not_before = now - Duration::HOUR;
    params.not_after = params.not_before + Duration::days(DAYS);
    params.is_ca = IsCa::ExplicitNoCa;
    params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ServerAuth);
    params.distinguished_name.push(DnType::CommonName, "ctigate");
    let made = params.self_signed(&pair).map_err(wrong)?;
    write_new(key, pair.serialize_pem().as_bytes(), 0o600)?;
    write_new(certificate, made.pem().as_bytes(), 0o644)?;
    tracing::info!(certificate = %certificate.display(), days = DAYS, "made a certificate; certs/README.md says how to trust it");
    Ok(true)
}

fn missing(gone: &Path, there: &Path) -> TlsError {
    TlsError::new(format!(
        "{} is missing, {} is there: put it back, or remove both to have a new pair made",
        gone.display(),
        there.display()
    ))
}

fn names(bound: &[SocketAddr], public_host: &str) -> Vec<String> {
    let mut addresses = BTreeSet::from([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    for address in bound {
        if address.ip().is_unspecified() {
            addresses.extend(outward(address.ip()));
        } else {
            addresses.insert(address.ip());
        }
    }
    let mut names = BTreeSet::from(["localhost".to_owned()]);
    names.extend(machine_name());
    if !public_host.is_empty() && public_host.parse::<IpAddr>().is_err() {
        names.insert(public_host.to_ascii_lowercase());
    }
    names.extend(addresses.iter().map(ToString::to_string));
    names.into_iter().collect()
}

/// The address from which this machine would speak to the world. Nothing is sent to find out.
fn outward(unspecified: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(SocketAddr::new(unspecified, 0)).ok()?;
    // Addresses for documentation: nobody has them.
    let far: SocketAddr =
        if unspecified.is_ipv4() { ([192, 0, 2, 1], 9).into() } else { "[2001:db8::1]:9".parse().ok()? };
    socket.connect(far).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The machine's own name, where it is one that a certificate may hold.
fn machine_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME")).ok()?;
    let name = name.trim().to_ascii_lowercase();
    let fits = !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    fits.then_some(name)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), TlsError> {
    let wrong = |e: std::io::Error| TlsError::new(format!("{}: {e}", path.display()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(wrong)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path).map_err(wrong)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tls::Certificates;

    #[test]
    fn the_first_start_makes_a_pair_that_can_be_served() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("certs/server.pem"), folder.path().join("certs/server.key"));
        let bound = ["127.0.0.1:1".parse().unwrap(), "0.0.0.0:1".parse().unwrap(), "10.1.2.3:1".parse().unwrap()];
        assert!(make_if_missing(&certificate, &key, &bound, "cti.example").unwrap());
        assert!(!make_if_missing(&certificate, &key, &bound, "").unwrap(), "once");
        let certificates = Certificates::load(&certificate, &key).unwrap();
        assert!(!certificates.reload().unwrap(), "unchanged");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let names = names(&bound, "cti.example");
        for name in ["localhost", "127.0.0.1", "::1", "10.1.2.3", "cti.example"] {
            assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
        }
        fs::remove_file(&key).unwrap();
        let error = make_if_missing(&certificate, &key, &bound, "").unwrap_err().to_string();
        assert!(error.contains("server.key is missing"), "{error}");
    }

    #[test]
    fn a_bad_new_file_keeps_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
        let (other, other_key) = (folder.path().join("b.pem"), folder.path().join("b.key"));
        make_if_missing(&certificate, &key, &[], "").unwrap();
        make_if_missing(&other, &other_key, &[], "").unwrap();
        let certificates = Certificates::load(&certificate, &key).unwrap();
        fs::copy(&other, &certificate).unwrap();
        let error = certificates.reload().unwrap_err().to_string();
        assert!(error.contains("do not belong together"), "{error}");
        fs::copy(&other_key, &key).unwrap();
        assert!(certificates.reload().unwrap());
        fs::write(&certificate, "nothing").unwrap();
        assert!(certificates.reload().unwrap_err().to_string().contains("no certificate"));
    }
}
