//! The messages between berthd, the helper and the shims, and the frames that carry them.
//! Shapes, units and meaning are said in `proto/berth/native/*.proto`.

mod frame;

pub use frame::{Decoder, FrameError, MAX_FRAME_BYTES, encode};
pub use messages::*;

/// The version that both protocols speak; raised when an old peer could misread a new message.
pub const PROTOCOL_VERSION: u32 = 1;

/// Raised with each field that an older shim would pass over to the harm of who set it; `src/native-client/protocol.ts` says
/// what came with which.
pub const SHIM_REVISION: u32 = 4;

// Generated code holds no unsafe, and is not ours to format or lint.
#[allow(clippy::all)]
mod messages {
    include!(concat!(env!("OUT_DIR"), "/berth.native.rs"));
}
