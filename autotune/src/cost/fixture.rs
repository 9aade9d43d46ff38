//! Profiles that the tests predict with: the files that ship.

use ridge_spec::target::DeviceProfile;

pub(crate) fn h200() -> DeviceProfile {
    toml::from_str(include_str!("../../../runtime/profiles/h200.toml")).unwrap()
}

pub(crate) fn rtx4090() -> DeviceProfile {
    toml::from_str(include_str!("../../../runtime/profiles/rtx4090.toml")).unwrap()
}

pub(crate) fn all() -> Vec<DeviceProfile> {
    let texts = [
        include_str!("../../../runtime/profiles/a100.toml"),
        include_str!("../../../runtime/profiles/b200.toml"),
        include_str!("../../../runtime/profiles/h100.toml"),
        include_str!("../../../runtime/profiles/l4.toml"),
    ];
    let mut profiles = vec![h200(), rtx4090()];
    profiles.extend(texts.map(|text| toml::from_str::<DeviceProfile>(text).unwrap()));
    profiles
}
