# All that ./tests/run needs. The busybox is for the builders of the end-to-end tests, whose sandbox holds nothing else.
{
  lib,
  mkShell,
  dotnetCorePackages,
  openssl,
  xz,
  zstd,
  bzip2,
  zlib,
  lz4,
  nix,
  jq,
  nginx,
  redis,
  chromium,
  debootstrap,
  docker,
  iproute2,
  curl,
  prometheus,
  systemd,
  zsh,
  fish,
  mandoc,
  groff,
  nodejs,
  pkgsStatic,
}:

mkShell {
  packages = [
    dotnetCorePackages.sdk_10_0
    nix
    jq
    openssl
    nginx
    redis
    chromium
    debootstrap
    docker
    iproute2
    curl
    (lib.getOutput "cli" prometheus)
    systemd
    zsh
    fish
    mandoc
    groff
    lz4
  ];

  LD_LIBRARY_PATH = lib.makeLibraryPath [
    openssl
    xz
    zstd
    bzip2
    zlib
  ];

  # Playwright's own has another loader.
  PLAYWRIGHT_NODEJS_PATH = lib.getExe nodejs;

  TRUSTIXPROXY_TEST_SANDBOX = "/bin=${pkgsStatic.busybox}/bin";
}
