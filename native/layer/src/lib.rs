//! Tars made by anybody, image layers first of all; and tars of trees that are anybody's. They are read by a process that sees
//! nothing but the target folder, and every path is resolved relative to that folder's descriptor, so that neither a name nor a link leads out.

mod archive;
mod error;
mod level;
mod measure;
mod opaque;
mod pack;
mod path;
mod pax;
mod place;
mod receive;
mod remove;
mod sparse;
mod stream;
mod unpack;
mod write;

pub use error::LayerError;
pub use measure::{Measurement, Size};
pub use opaque::mark_opaque;
pub use pack::{Found, find, pack, pack_contents};
pub use receive::{Source, Target, aim, receive};
pub use remove::remove_tree;
pub use stream::Compression;
pub use unpack::{Options, Summary, unpack};
