# The one executable, trustix-proxy. deps.json is written by nix/update-deps from the lock file of src/TrustixProxy.
{
  lib,
  buildDotnetModule,
  dotnetCorePackages,
  installShellFiles,
  openssl,
  xz,
  zstd,
  bzip2,
  zlib,
}:

buildDotnetModule {
  pname = "trustix-proxy";
  version = builtins.head (builtins.match ".*<Version>([^<]*)</Version>.*" (builtins.readFile ../Directory.Build.props));

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../src
      ../Directory.Build.props
      ../Directory.Packages.props
      ../.editorconfig
      ./post-build-hook
    ];
  };

  projectFile = "src/TrustixProxy/TrustixProxy.csproj";
  nugetDeps = ./deps.json; # without the compiler that compiles ahead: it is the SDK's, and nixpkgs gives it with the SDK
  dotnet-sdk = dotnetCorePackages.sdk_10_0;
  dotnet-runtime = dotnetCorePackages.aspnetcore_10_0;
  dotnetFlags = [ "-p:SelfContained=false" ]; # on nixpkgs' .NET: the package that compiles to machine code is not among nugetDeps
  executables = [ "trustix-proxy" ];
  # Loaded by soname: SHA-256, and the compressions of NARs. libsodium is not among them: NSec takes only the version it was made for,
  # which its NuGet package lays beside the program. It needs nothing but the libc that the process has loaded already.
  runtimeDeps = [
    openssl
    xz
    zstd
    bzip2
    zlib
  ];

  nativeBuildInputs = [ installShellFiles ];

  # The program itself writes them; it has no wrapper yet.
  postInstall = ''
    install -D -m 755 nix/post-build-hook $out/libexec/trustix-proxy/post-build-hook
    page() { dotnet $out/lib/trustix-proxy/trustix-proxy.dll "$@"; }
    page man > trustix-proxy.1
    installManPage trustix-proxy.1
    installShellCompletion --cmd trustix-proxy --bash <(page completions bash) --zsh <(page completions zsh) --fish <(page completions fish)
  '';

  meta = {
    description = "Serves Nix binary caches only where several independent build-transparency logs agree";
    license = lib.licenses.mit;
    mainProgram = "trustix-proxy";
    platforms = lib.platforms.linux;
  };
}
