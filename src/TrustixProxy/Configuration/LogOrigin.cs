using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Configuration;

/// <summary>Checks names of logs in checkpoints.</summary>
internal static class LogOrigin
{
    private const int MaxLength = 200;

    /// <summary>Returns what is wrong with an origin, to follow the name of the setting; null for a good one.</summary>
    public static string? FaultOf(string origin)
    {
        var problem = !VerifierKey.IsName(origin) || origin.Any(char.IsControl)
            ? "it names the log to witnesses, so it has no spaces, control characters and plus signs"
            : origin.Length > MaxLength ? $"it has {origin.Length} characters, and at most {MaxLength} are allowed"
            : null;
        return problem is null ? null
            : $"is '{(origin.Length > MaxLength ? origin[..MaxLength] : origin)}'; {problem}. "
                + "Choose a name under a domain of yours and keep it for ever: \"log.alice.example/nix\".";
    }
}
