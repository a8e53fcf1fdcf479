using System.CommandLine;
using TrustixProxy.Verbs;

var root = new RootCommand("Serves Nix binary caches only where several independent build-transparency logs agree on what a build produced.")
{
    ServeVerb.Create(),
    LogVerbs.Create(),
    HookVerb.Create(),
    PublishVerb.Create(),
    InitVerb.Create(),
    KeygenVerb.Create(),
    CheckConfigVerb.Create(),
    ExplainVerb.Create(),
    DoctorVerb.Create(),
    DiffVerb.Create(),
    VerifyVerb.Create(),
    PolicyVerb.Create(),
    LogsVerb.Create(),
    RevokeVerb.Create(),
    AuditVerb.Create(),
    NarStoreVerb.Create(),
    DemoVerb.Create(),
};
Teaching.Add(root);
var parsed = root.Parse(args);
var code = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(40) }); // longer than any host takes to end by itself
return parsed.CommandResult.Command.Name is HookVerb.Name ? ExitCode.Good : parsed.Errors.Count > 0 ? ExitCode.Usage : code;
