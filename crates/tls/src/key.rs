//! Private keys, also encrypted ones.
//!
//! rustls takes keys in the clear. OpenSSL writes encrypted ones in two ways: as PKCS #8 (RFC 5958, with PBES2 of RFC 8018),
//! and in the older form with `Proc-Type` and `DEK-Info` lines (RFC 1421), where MD5 makes the key of the password.

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::pbkdf2;
use md5::{Digest, Md5};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use std::num::NonZeroU32;

/// More rounds than any program makes; a file must not keep the process busy for minutes.
const MOST_ROUNDS: u32 = 10_000_000;

/// The first private key of a PEM text, decrypted with `password` if it is encrypted.
pub(crate) fn load(pem: &[u8], password: Option<&str>) -> Result<PrivateKeyDer<'static>, String> {
    let text = String::from_utf8_lossy(pem);
    let Some(section) = sections(&text).find(|section| section.label.ends_with("PRIVATE KEY")) else {
        return Err("no private key in it".to_owned());
    };
    let is_pkcs8 = section.label == "ENCRYPTED PRIVATE KEY";
    if !is_pkcs8 && section.cipher.is_none() {
        return PrivateKeyDer::from_pem_slice(pem).map_err(|error| error.to_string());
    }
    let password = password.ok_or("it is encrypted, and there is no password")?;
    let data = decode_base64(&section.body).ok_or("its text is not base64")?;
    if is_pkcs8 {
        let der = decrypt_pkcs8(&data, password.as_bytes())?;
        return Ok(PrivatePkcs8KeyDer::from(der).into());
    }
    let der = decrypt_legacy(section.cipher.unwrap_or_default(), data, password.as_bytes())?;
    match section.label {
        "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(der).into()),
        "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(der).into()),
        other => Err(format!("a {other} is not served")),
    }
}

/// What stands between a BEGIN and its END.
struct Section<'a> {
    label: &'a str,
    /// The value of its `DEK-Info`: the cipher, a comma, the initialisation vector in hexadecimal.
    cipher: Option<&'a str>,
    body: String,
}

fn sections(text: &str) -> impl Iterator<Item = Section<'_>> {
    text.split("-----BEGIN ").skip(1).filter_map(|part| {
        let (label, rest) = part.split_once("-----")?;
        let (inside, _) = rest.split_once("-----END ")?;
        let mut cipher = None;
        let mut body = String::new();
        for line in inside.lines() {
            match line.split_once(':') {
                Some(("DEK-Info", value)) => cipher = Some(value.trim()),
                Some(_) => {}
                None => body.push_str(line.trim()),
            }
        }
        Some(Section { label, cipher, body })
    })
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

const OID_PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const OID_PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const OID_HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
const OID_AES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;

/// Takes one value of this tag off the front of `der`: its content.
fn take<'a>(der: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    *der = rest;
    Some(content)
}

/// The parts of an EncryptedPrivateKeyInfo with PBES2.
struct Pbes2<'a> {
    salt: &'a [u8],
    rounds: u32,
    prf: u8,
    cipher: u8,
    iv: &'a [u8],
    data: &'a [u8],
}

fn parse_pbes2(mut der: &[u8]) -> Option<Pbes2<'_>> {
    let mut info = take(&mut der, SEQUENCE)?;
    let mut algorithm = take(&mut info, SEQUENCE)?;
    let data = take(&mut info, OCTETS)?;
    if take(&mut algorithm, OID)? != OID_PBES2 {
        return None;
    }
    let mut parameters = take(&mut algorithm, SEQUENCE)?;
    let mut derivation = take(&mut parameters, SEQUENCE)?;
    let mut encryption = take(&mut parameters, SEQUENCE)?;
    if take(&mut derivation, OID)? != OID_PBKDF2 {
        return None;
    }
    let mut derivation = take(&mut derivation, SEQUENCE)?;
    let salt = take(&mut derivation, OCTETS)?;
    let rounds = take(&mut derivation, INTEGER)?;
    let rounds = match rounds.len() {
        1..=5 => u32::try_from(rounds.iter().fold(0_u64, |n, digit| n << 8 | u64::from(*digit))).ok()?,
        _ => return None,
    };
    let _key_length = take(&mut derivation, INTEGER);
    // Its default is HMAC with SHA-1, whose number ends with 7.
    let prf = match take(&mut derivation, SEQUENCE) {
        None => 7,
        Some(mut prf) => *take(&mut prf, OID)?.strip_prefix(OID_HMAC)?.first()?,
    };
    let cipher = *take(&mut encryption, OID)?.strip_prefix(OID_AES)?.first()?;
    let iv = take(&mut encryption, OCTETS)?;
    Some(Pbes2 { salt, rounds, prf, cipher, iv, data })
}

fn decrypt_pkcs8(der: &[u8], password: &[u8]) -> Result<Vec<u8>, String> {
    let parts = parse_pbes2(der)
        .ok_or("its encryption is not served (PBES2 with PBKDF2 and AES-CBC is: `openssl pkcs8 -topk8`)")?;
    let prf = match parts.prf {
        7 => pbkdf2::PBKDF2_HMAC_SHA1,
        9 => pbkdf2::PBKDF2_HMAC_SHA256,
        10 => pbkdf2::PBKDF2_HMAC_SHA384,
        11 => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return Err("the hash of its key derivation is not served".to_owned()),
    };
    let (algorithm, length) = match parts.cipher {
        2 => (&AES_128, 16),
        22 => (&AES_192, 24),
        42 => (&AES_256, 32),
        _ => return Err("its cipher is not served (AES-CBC is)".to_owned()),
    };
    let rounds = NonZeroU32::new(parts.rounds)
        .filter(|rounds| rounds.get() <= MOST_ROUNDS)
        .ok_or("the number of rounds of its key derivation is out of range")?;
    let mut key = vec![0; length];
    pbkdf2::derive(prf, rounds, parts.salt, password, &mut key);
    decrypt(algorithm, &key, parts.iv, parts.data.to_vec())
}

fn decrypt_legacy(info: &str, data: Vec<u8>, password: &[u8]) -> Result<Vec<u8>, String> {
    let (name, iv) = info.split_once(',').ok_or("its DEK-Info is incomplete")?;
    let (algorithm, length) = match name {
        "AES-128-CBC" => (&AES_128, 16),
        "AES-192-CBC" => (&AES_192, 24),
        "AES-256-CBC" => (&AES_256, 32),
        _ => return Err(format!("its cipher {name} is not served (AES-CBC is)")),
    };
    let digits: Option<Vec<u8>> = iv
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let iv = digits.ok_or("its initialisation vector is not hexadecimal")?;
    let salt = iv.get(..8).ok_or("its initialisation vector is too short")?;
    // EVP_BytesToKey: each block is the digest of the one before, the password and the salt.
    let mut key = Vec::new();
    let mut block: Vec<u8> = Vec::new();
    while key.len() < length {
        block = Md5::new().chain_update(&block).chain_update(password).chain_update(salt).finalize().to_vec();
        key.extend_from_slice(&block);
    }
    key.truncate(length);
    decrypt(algorithm, &key, &iv, data)
}

fn decrypt(
    algorithm: &'static Algorithm,
    key: &[u8],
    iv: &[u8],
    mut data: Vec<u8>,
) -> Result<Vec<u8>, String> {
    let iv: [u8; 16] = iv.try_into().map_err(|_| "its initialisation vector has not 16 bytes")?;
    let wrong = |_| "the password is wrong".to_owned();
    let key = UnboundCipherKey::new(algorithm, key).map_err(wrong)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(wrong)?;
    let plain = key.decrypt(&mut data, DecryptionContext::Iv128((&iv).into())).map_err(wrong)?;
    // One wrong password in 256 leaves a padding that looks right.
    match plain.first() {
        Some(&SEQUENCE) => Ok(plain.to_vec()),
        _ => Err("the password is wrong".to_owned()),
    }
}
