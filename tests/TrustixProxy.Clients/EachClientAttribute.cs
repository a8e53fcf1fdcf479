using Xunit.Sdk;

namespace TrustixProxy.Clients;

/// <summary>A theory that runs once for each version of Nix, and each of its arguments.</summary>
/// <remarks>A version that is not at hand makes one skipped case; <c>tests/run</c> counts it as failed where <c>CI=true</c>.</remarks>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class EachClientAttribute(params string[] arguments) : DataAttribute
{
    /// <inheritdoc/>
    public override IEnumerable<object[]> GetData(System.Reflection.MethodInfo testMethod) =>
        from client in NixClient.AtHand
        from argument in arguments.DefaultIfEmpty()
        select argument is null ? new object[] { client.Version } : [client.Version, argument];
}

/// <summary>A fact about one version of Nix, skipped where that version is missing.</summary>
public sealed class ClientFactAttribute : FactAttribute
{
    /// <param name="version">The version.</param>
    public ClientFactAttribute(string version)
    {
        if (NixClient.AtHand.All(client => client.Version != version))
        {
            Skip = $"Nix {version} is missing: run tests/Clients/folders make as root.";
        }
    }
}
