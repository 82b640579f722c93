//! Random secrets, and their stored form.
use sha2::{Digest as _, Sha256};

/// A random secret of 256 bits: 64 hexadecimal digits.
#[must_use]
pub fn draw() -> String {
    hex(&rand::random::<[u8; 32]>())
}

/// The stored form of a random secret: SHA-256. One pass protects it as well as Argon2 would, since it cannot be guessed.
#[must_use]
pub fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_64_digits_and_its_hash_is_sha_256() {
        let secret = draw();
        assert!(secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(secret, draw());
        // From FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&hash("abc")), abc);
    }
}
