using System.CommandLine;

namespace TrustixProxy.Verbs.Apt;

/// <summary><c>trustix-proxy apt</c>: the gate for Debian packages, in a room that the proxy for Nix never enters.</summary>
internal static class AptVerbs
{
    public static Command Create() => new("apt", "Serves Debian packages only where independent rebuilders vouch for them.")
    {
        AptServeVerb.Create(),
        AptInitVerb.Create(),
        AptExplainVerb.Create(),
        AptVerifyVerb.Create(),
        AptDoctorVerb.Create(),
        AptReleasesVerb.Create(),
    };
}
