namespace TrustixProxy.EndToEnd;

/// <summary>A real Nix client behind the proxy is unharmed by whatever an upstream makes up: it gets the right path, or nothing.</summary>
[Collection(NixLabCollection.Name)]
public sealed class RogueUpstreamTests(NixLab lab)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    public static TheoryData<string> Faults() => new() { "flipped byte", "truncated", "empty", "html" };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_wrong_nar_never_reaches_the_client_whole_and_the_second_upstream_serves_it(string fault)
    {
        var big = lab.Outputs["big"];
        await using var rogue = await FaultyCache.StartAsync(lab.CacheOf("xz"), changeNar: nar => Spoil(nar, fault));
        await using var honest = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var alone = await lab.StartProxyAsync(Deadline, rogue.Url);
        await using var both = await lab.StartProxyAsync(Deadline, rogue.Url, honest.Url);

        var refused = await lab.RealiseAsync($"rogue-{fault}", alone.Url, alone.PublicKey, big);
        var served = await lab.RealiseAsync($"both-{fault}", both.Url, both.PublicKey, big);
        if (served.Code is not 0)
        {
            // the first try may have been cut; the next goes to the honest one
            served = await lab.RealiseAsync($"both-{fault}", both.Url, both.PublicKey, big);
        }

        AssertNoCrash(refused);
        Assert.NotEqual(0, refused.Code);
        Assert.False(await lab.IsValidAsync($"rogue-{fault}", big));
        served.OrThrow();
        await lab.AssertVerifiedAsync($"both-{fault}", [big]);
    }

    [Theory]
    [InlineData("injected CA", "CA: fixed:r:sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18")]
    [InlineData("injected text CA", "CA: text:sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18")]
    [InlineData("wrong references", "References: 0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0")]
    [InlineData("short Sig", "Sig: proxy-e2e-1:c2hvcnQ=")]
    [InlineData("forged Sig", "Sig: proxy-e2e-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==")]
    [InlineData("malformed deriver", "Deriver: ../../etc/passwd")]
    [InlineData("absolute URL", null)]
    public async Task A_narinfo_that_says_more_than_it_may_does_no_harm(string what, string? line)
    {
        var spare = lab.Outputs["spare"];
        await lab.SubmitAsync("alice", [spare]);
        await lab.SubmitAsync("bob", [spare]);
        await using var files = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var rogue = await FaultyCache.StartAsync(lab.CacheOf("xz"), text => line is null
            ? text.Replace("URL: ", $"URL: {files.Url}/", StringComparison.Ordinal) : Put(text, line));
        await using var proxy = await lab.StartProxyAsync(Deadline, rogue.Url);

        var result = await lab.RealiseAsync(what, proxy.Url, proxy.PublicKey, spare);

        AssertNoCrash(result);
        result.OrThrow();
        await lab.AssertVerifiedAsync(what, [spare]);
        var narInfo = await proxy.AskAsync($"{spare.Digest}.narinfo");
        Assert.DoesNotContain("http", narInfo.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("CA:", narInfo.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("wrong name")]
    [InlineData("html")]
    [InlineData("of another path")]
    public async Task A_narinfo_that_is_none_of_the_path_gives_nothing(string what)
    {
        var spare = lab.Outputs["spare"];
        await lab.SubmitAsync("alice", [spare]);
        await lab.SubmitAsync("bob", [spare]);
        var other = await File.ReadAllTextAsync(Path.Combine(lab.CacheOf("xz"), $"{lab.Top.Digest}.narinfo"));
        await using var rogue = await FaultyCache.StartAsync(lab.CacheOf("xz"), text => what switch
        {
            "wrong name" => text.Replace("spare-1.0", "evil-1.0", StringComparison.Ordinal),
            "html" => "<html>for sale</html>\n",
            _ => other,
        });
        await using var proxy = await lab.StartProxyAsync(Deadline, rogue.Url);

        var result = await lab.RealiseAsync(what, proxy.Url, proxy.PublicKey, spare);

        AssertNoCrash(result);
        Assert.NotEqual(0, result.Code);
        Assert.False(await lab.IsValidAsync(what, spare));
    }

    private static byte[] Spoil(byte[] nar, string fault)
    {
        switch (fault)
        {
            case "flipped byte":
                nar[nar.Length / 2] ^= 1;
                return nar;
            case "truncated":
                return nar[..(nar.Length / 2)];
            default:
                return fault is "empty" ? [] : "<html>for sale</html>"u8.ToArray();
        }
    }

    private static string Put(string text, string line)
    {
        var name = line.Split(':')[0] + ":";
        return string.Concat(text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(other => !other.StartsWith(name, StringComparison.Ordinal)).Append(line).Select(other => other + "\n"));
    }

    /// <summary>A CA line that does not fit makes an unprotected client abort with a failed assertion.</summary>
    private static void AssertNoCrash(Result result) => Assert.True(result.Code is 0 or 1 or 100, result.ToString());
}
