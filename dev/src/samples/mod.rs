//! Files that look like what people upload, made on the spot: for tests and for the demo data.
//! The same arguments give the same bytes.

mod hostile;
mod office;
mod pdf;
mod photo;

pub use self::{
    hostile::{hostile, png_deep, png_interlaced},
    office::{docx, xlsx},
    pdf::pdf,
    photo::{from_a_phone, gif, jpeg, jpeg_with_gps, png, png_bomb, scene, webp},
};
