using System.CommandLine;
using TrustixProxy.Verbs;

var root = new RootCommand("Serves Nix binary caches only where several independent build-transparency logs agree on what a build produced.")
{
    ServeVerb.Create(),
    LogVerbs.Create(),
    KeygenVerb.Create(),
    CheckConfigVerb.Create(),
    DemoVerb.Create(),
};
var parsed = root.Parse(args);
var code = await parsed.InvokeAsync();
return parsed.Errors.Count > 0 ? ExitCode.Usage : code;
