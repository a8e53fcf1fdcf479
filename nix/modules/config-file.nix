# A configuration as a file, which check-config has accepted: a faulty one ends nixos-rebuild, not the running service.
# secrets: environment variables that name files of keys, which are not here while the system is built; throwaway keys stand in for them.
{
  pkgs,
  lib,
  package,
  name,
  settings,
  secrets ? [ ],
}:

pkgs.runCommand name
  {
    nativeBuildInputs = [ package ];
    value = builtins.toJSON settings;
    passAsFile = [ "value" ];
    preferLocalBuild = true;
  }
  ''
    ${lib.concatMapStringsSep "\n" (secret: ''
      trustix-proxy keygen ./${secret} >/dev/null
      export ${secret}="$PWD/${secret}"
    '') secrets}
    trustix-proxy check-config --config "$valuePath"
    cp "$valuePath" "$out"
  ''
