using System.Collections.Immutable;
using TrustixProxy.Substituter.FrontDoor;

namespace TrustixProxy.Configuration;

/// <summary>Section <c>operations</c> of <c>serve</c>.</summary>
/// <param name="Listen">Addresses of the operations listener.</param>
/// <param name="Hosts">Host names that it accepts.</param>
/// <param name="Otlp">Where traces and metrics are sent; null for nowhere.</param>
/// <param name="WantedReaders">Credentials that the work list asks for; null for none.</param>
/// <param name="WantedExclude">Names that the work list leaves out.</param>
internal sealed record OperationsConfiguration(
    ImmutableArray<string> Listen, ImmutableArray<string> Hosts, Uri? Otlp, ClientCredentials? WantedReaders,
    ImmutableArray<string> WantedExclude)
{
    /// <param name="listen">The addresses of <c>listen</c>, which must be others.</param>
    public static OperationsConfiguration Read(Section section, IReadOnlyList<string> listen)
    {
        var operations = section.Object("operations");
        return new OperationsConfiguration(
            ReadListen(section, operations, listen), ReadHosts(operations), ReadOtlp(operations), ReadWantedToken(operations),
            [.. CommonKeys.Globs(operations, "wantedExclude")]);
    }

    /// <summary>What is allowed but weaker than it may look.</summary>
    public static IEnumerable<string> Warnings(IEnumerable<string> listen, bool hasToken)
    {
        foreach (var open in listen.Where(address => hasToken && Uri.TryCreate(address, UriKind.Absolute, out var url) && !url.IsLoopback))
        {
            yield return $"operations.wantedTokenFile: the token is sent unencrypted to '{open}'. Put a reverse proxy with TLS in front.";
        }
    }

    private static ImmutableArray<string> ReadListen(Section section, Section operations, IReadOnlyList<string> listen)
    {
        var own = operations.Texts("listen", "http://127.0.0.1:8081");
        if (own.Count > 0)
        {
            CommonKeys.CheckListen(operations, "listen", own, allowUnix: false); // an empty list turns the listener off
        }

        OwnAddresses.CheckDistinct(section, ("listen", listen), ("operations.listen", own));
        return [.. own];
    }

    /// <summary>Names of hosts: what may stand in a Host header, without a port.</summary>
    public static ImmutableArray<string> ReadHosts(Section operations)
    {
        var hosts = operations.Texts("hosts");
        foreach (var host in hosts.Where(host => Uri.CheckHostName(host) is UriHostNameType.Unknown))
        {
            operations.Fault("hosts", $"has '{host}'; a host is a name or an address without scheme and port: proxy.example.org.");
        }

        return [.. hosts];
    }

    private static Uri? ReadOtlp(Section operations)
    {
        if (operations.Text("otlp") is not { } text)
        {
            return null;
        }

        if (ServiceUrl.FaultOf(text, UrlForms.Web, out var url, out _) is { } fault)
        {
            operations.Fault("otlp", $"{fault} It is the address of an OpenTelemetry collector, for example http://127.0.0.1:4318.");
        }

        return url;
    }

    private static ClientCredentials? ReadWantedToken(Section operations)
    {
        const string key = "wantedTokenFile";
        if (operations.Text(key) is not { } path || KeyFile.ReadToken(operations, key, path) is not { } token)
        {
            return null;
        }

        var readers = new ClientCredentials();
        readers.TryAdd(ClientScheme.Bearer, "wanted", token);
        return readers;
    }
}
