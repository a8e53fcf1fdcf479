namespace TrustixProxy.Clients;

/// <summary>Says which versions of Nix the suite has driven.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class AtHandTests(ClientLab lab)
{
    [ClientFact("2.8")]
    public Task Nix_2_8_is_at_hand() => AssertVersionAsync("2.8");

    [ClientFact("2.26")]
    public Task Nix_2_26_is_at_hand() => AssertVersionAsync("2.26");

    /// <remarks>Debian's testing moves on: what it has may be newer.</remarks>
    [ClientFact("2.34")]
    public Task Nix_2_34_is_at_hand() => AssertVersionAsync("2.34");

    private async Task AssertVersionAsync(string wanted)
    {
        var said = (await lab.RunAsync(new Machine(NixClient.Of(wanted), "version"), "nix", "--version")).OrThrow().Output.Trim();

        var version = Version.Parse(said.Split(' ')[^1].Split('-', '+')[0]);
        Assert.True(version >= Version.Parse(wanted), said);
    }
}
