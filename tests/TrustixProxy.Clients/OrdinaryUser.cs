namespace TrustixProxy.Clients;

/// <summary>A user without rights: this process's own, or <c>nobody</c> where this process is root.</summary>
internal static class OrdinaryUser
{
    /// <summary>Its name.</summary>
    public static string Name => Environment.IsPrivilegedProcess ? "nobody" : Environment.UserName;

    /// <summary>Why a test that needs one with this machine's own Nix cannot run; null when it can.</summary>
    public static string? Lacks { get; } = Find();

    /// <summary>Runs a program as this user, with these variables and PATH alone.</summary>
    public static Task<Result> RunAsync(
        string program, IEnumerable<string> arguments, Dictionary<string, string> environment)
    {
        string[] user = Environment.IsPrivilegedProcess ? ["setpriv", "--reuid", Name, "--regid", "nogroup", "--clear-groups"] : [];
        string[] variables = ["env", "-i", $"PATH={Environment.GetEnvironmentVariable("PATH")}",
            .. environment.Select(variable => $"{variable.Key}={variable.Value}")];
        string[] words = [.. user, .. variables, program, .. arguments];
        return Shell.RunAsync(words[0], words[1..], seconds: 400);
    }

    private static string? Find()
    {
        if (NixClient.AtHand.All(client => client.Folder is not "host"))
        {
            return "This machine has no Nix of its own in a version that the suite knows (Debian package nix-bin).";
        }

        var namespaces = RunAsync("unshare", ["--user", "--map-root-user", "--mount", "--pid", "--fork", "true"],
            []).GetAwaiter().GetResult();
        return namespaces.Code is 0 ? null : $"The kernel refuses user namespaces to an ordinary user: {namespaces.Error.Trim()}";
    }
}

/// <summary>A fact about an ordinary user's rebuilder, skipped with the reason where there can be none.</summary>
public sealed class OrdinaryUserFactAttribute : FactAttribute
{
    public OrdinaryUserFactAttribute() => Skip = OrdinaryUser.Lacks;
}

/// <summary>A theory about an ordinary user's rebuilder, skipped with the reason where there can be none.</summary>
public sealed class OrdinaryUserTheoryAttribute : TheoryAttribute
{
    public OrdinaryUserTheoryAttribute() => Skip = OrdinaryUser.Lacks;
}
