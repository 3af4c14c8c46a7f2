# Makes /srv/rust a server for rustup that has one Rust, 1.70.0, whose programs are scripts.
set -eu
target=x86_64-unknown-linux-gnu
mkdir -p /srv/rust/dist
cd /srv/rust/dist
cat > channel-rust-1.70.toml <<end
manifest-version = "2"
date = "2023-06-01"
[renames.clippy]
to = "clippy-preview"
[renames.rustfmt]
to = "rustfmt-preview"
[profiles]
minimal = ["rustc", "cargo", "rust-std"]
[pkg.rust]
version = "1.70.0 (90c541806 2023-05-31)"
[pkg.rust.target.$target]
available = true
url = "file:///srv/rust/dist/rust.tar.gz"
hash = "0000000000000000000000000000000000000000000000000000000000000000"
end
for name in rustc cargo rust-std; do
  printf '[[pkg.rust.target.%s.components]]\npkg = "%s"\ntarget = "%s"\n' $target $name $target >> channel-rust-1.70.toml
done
for name in clippy-preview rustfmt-preview; do
  printf '[[pkg.rust.target.%s.extensions]]\npkg = "%s"\ntarget = "%s"\n' $target $name $target >> channel-rust-1.70.toml
done
for name in rustc cargo rust-std clippy-preview rustfmt-preview; do
  top=$name-1.70.0-$target
  mkdir -p $top/$name/bin
  echo 3 > $top/rust-installer-version
  echo $name > $top/components
  echo file:bin/$name > $top/$name/manifest.in
  printf '#!/bin/sh\necho "%s 1.70.0 (90c541806 2023-05-31)"\n' $name > $top/$name/bin/$name
  chmod 0755 $top/$name/bin/$name
  tar -czf $name.tar.gz $top
  rm -r $top
  cat >> channel-rust-1.70.toml <<end
[pkg.$name]
version = "1.70.0 (90c541806 2023-05-31)"
[pkg.$name.target.$target]
available = true
url = "file:///srv/rust/dist/$name.tar.gz"
hash = "$(sha256sum $name.tar.gz | cut -c 1-64)"
end
done
cp channel-rust-1.70.toml channel-rust-1.70.0.toml
for file in *.toml; do sha256sum $file > $file.sha256; done
