# Warnings about whatever else Nix would take binaries from, or believe, beside one proxy.
{
  lib,
  nixSettings,
  extraOptions ? "",
  option, # that makes the proxy the only substituter
  url,
  publicKeys,
}:

let
  beside =
    name: allowed: lib.filter (value: !lib.elem value allowed) (lib.toList (nixSettings.${name} or [ ]));
  isBypass = line: builtins.match "[[:space:]]*(extra-)?(trusted-)?(substituters|public-keys|users|binary-caches|binary-cache-public-keys)[[:space:]]*=.*" line != null;
  bypass = name: allowed: what: lib.optional (beside name allowed != [ ]) ''
    ${option}: nix.settings.${name} has ${lib.concatStringsSep ", " (beside name allowed)}, ${what}. Remove it, or give nix.settings.${name} a lib.mkForce of its own.
  '';
in
lib.concatMap (name: bypass name [ url ] "which bypasses the vote") [
  "substituters"
  "extra-substituters"
  "binary-caches"
  "extra-binary-caches"
]
++ lib.concatMap (name: bypass name [ url ] "which any user may choose to bypass the vote") [
  "trusted-substituters"
  "extra-trusted-substituters"
  "trusted-binary-caches"
  "extra-trusted-binary-caches"
]
++ lib.concatMap (name: bypass name publicKeys "whose signature Nix would believe without a vote") [
  "trusted-public-keys"
  "extra-trusted-public-keys"
  "binary-cache-public-keys"
  "extra-binary-cache-public-keys"
]
++ lib.concatMap (name: bypass name [ "root" ] "who may name other substituters and keys") [
  "trusted-users"
  "extra-trusted-users"
]
++ map (line: ''
  ${option}: nix.extraOptions has '${line}', which may bypass the vote. Remove it.
'') (lib.filter isBypass (lib.splitString "\n" extraOptions))
++ lib.optional (nixSettings.accept-flake-config or false == true) ''
  ${option}: nix.settings.accept-flake-config is true, so whatever flake root or a trusted user builds may name substituters and keys.
''
++ lib.optional (!(nixSettings.require-sigs or true)) ''
  ${option}: nix.settings.require-sigs is false, so Nix would believe any binary.
''
