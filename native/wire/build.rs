//! Makes the message types from `proto/berth/native`; protox reads them, so no protoc is needed.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = "../../proto";
    let files = ["common", "helper", "shim"].map(|name| format!("{root}/berth/native/{name}.proto"));
    println!("cargo:rerun-if-changed={root}/berth/native");
    let set = protox::compile(&files, [root])?;
    prost_build::Config::new().compile_fds(set)?;
    Ok(())
}
