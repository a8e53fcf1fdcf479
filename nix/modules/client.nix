# services.trustix-client: a Nix that asks a proxy elsewhere, and nobody else. For NixOS and nix-darwin.
{
  config,
  lib,
  ...
}:

let
  inherit (lib)
    mkDefault
    mkForce
    mkIf
    mkOption
    types
    ;
  cfg = config.services.trustix-client;
in
{
  options.services.trustix-client = {
    enable = mkOption {
      type = types.bool;
      default = false;
      description = "Whether this machine's Nix asks a trustix-proxy elsewhere, and nobody else.";
    };

    url = mkOption {
      type = types.str;
      default = "http://127.0.0.1:8080";
      description = "Address of the proxy: on another machine, or in a container on this one.";
    };

    publicKey = mkOption {
      type = types.str;
      description = "The proxy's public key, as `init` and the first start print it.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = builtins.match "[^: ]+:[A-Za-z0-9+/]{43}=" cfg.publicKey != null;
        message = "services.trustix-client.publicKey is '${cfg.publicKey}'; it must be name:base64, as trustix-proxy init prints it.";
      }
      {
        assertion = builtins.match "https?://[^/ ]+(/.*)?" cfg.url != null;
        message = "services.trustix-client.url is '${cfg.url}'; it must be http(s)://host[:port].";
      }
      {
        assertion = config.nix.enable;
        message = "services.trustix-client: nix.enable is false, so this configuration does not write nix.conf. Write these lines there by hand: substituters = ${cfg.url} and trusted-public-keys = ${cfg.publicKey}";
      }
    ];

    warnings = import ./bypass.nix {
      inherit lib;
      inherit (cfg) url;
      nixSettings = config.nix.settings;
      extraOptions = config.nix.extraOptions;
      option = "services.trustix-client";
      publicKeys = [ cfg.publicKey ];
    };

    nix.settings = {
      substituters = mkForce [ cfg.url ];
      trusted-public-keys = mkForce [ cfg.publicKey ];
      # What is refused now may be agreed on in a minute; without this Nix remembers a 404 for an hour.
      narinfo-cache-negative-ttl = mkDefault 60;
      connect-timeout = mkDefault 5;
    };
  };
}
