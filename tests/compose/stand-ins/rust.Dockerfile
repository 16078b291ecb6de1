FROM tracelab-stand-in/packages
COPY toolchain /usr/local/rustup/toolchains/stand-in
COPY registry /usr/local/cargo/registry
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true \
    PATH=/usr/local/rustup/toolchains/stand-in/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LABEL tracelab.stand-in="rust"
