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
var code = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(40) }); // longer than any host takes to end by itself
return parsed.Errors.Count > 0 ? ExitCode.Usage : code;
