using System.Text;
using TrustixProxy.Publisher;

namespace TrustixProxy.Publisher.Tests;

/// <summary>Every shape of <c>nix path-info --json</c>, as the versions print it.</summary>
public sealed class PathInfoTests
{
    private const string Out = "6w7k0vdpxcwlqf2l8hprjy3zn1vnqrxj-hello-2.12.1";
    private const string Dep = "0c2ydpmpb0jz3hdvv5s8hvb1bvhsvq3f-glibc-2.40";
    private const string Gone = "00000000000000000000000000000000-gone";
    private const string Sri = "sha256-KxyTmX8eVbV2TilY5WwpvYb+mmXW1tkrFKJVPVNlV5U=";
    private const string Nix32 = "sha256:15apcm9ksmd22hmxkmnncndgx1mx55nfan199rvbam8ygycr671b";
    private const string Hex = "sha256:2b1c93997f1e55b5764e2958e56c29bd86fe9a65d6d6d92b14a2553d53655795";

    public static TheoryData<string, string, bool> Shapes => new()
    {
        { "2.3", """[{"path":"/nix/store/@out","narHash":"@nix32","narSize":226560,"references":["/nix/store/@out","/nix/store/@dep"],"deriver":"/nix/store/@gone.drv","registrationTime":1700000000,"ultimate":true},{"path":"/nix/store/@gone","valid":false}]""", true },
        { "2.8", """[{"path":"/nix/store/@gone","valid":false},{"path":"/nix/store/@out","narHash":"@sri","narSize":226560,"references":["/nix/store/@dep","/nix/store/@out"],"ca":"fixed:r:sha256:@digits","registrationTime":1700000000,"signatures":["cache-1:AAAA"]}]""", false },
        { "2.18", """[{"deriver":"/nix/store/@gone.drv","narHash":"@sri","narSize":226560,"path":"/nix/store/@out","references":["/nix/store/@dep","/nix/store/@out"],"registrationTime":1700000000,"ultimate":true,"valid":true}]""", true },
        { "2.19", """{"/nix/store/@out":{"narHash":"@sri","narSize":226560,"references":["/nix/store/@dep","/nix/store/@out"],"registrationTime":1700000000},"/nix/store/@gone":null}""", false },
        { "2.24", """{"/nix/store/@gone":null,"/nix/store/@out":{"ca":null,"deriver":null,"narHash":"@sri","narSize":226560,"references":["/nix/store/@dep","/nix/store/@out"],"registrationTime":1700000000,"signatures":[],"ultimate":true}}""", true },
        { "2.33, format 1", """{"/nix/store/@out":{"ca":null,"deriver":null,"narHash":"@sri","narSize":226560,"references":["/nix/store/@dep","/nix/store/@out"],"registrationTime":1700000000,"signatures":[],"storeDir":"/nix/store","ultimate":false,"version":1}}""", false },
        { "2.33, format 1, version on top", """{"version":1,"storeDir":"/nix/store","/nix/store/@out":{"narHash":"@sri","narSize":226560,"references":["/nix/store/@dep","/nix/store/@out"],"registrationTime":1700000000,"ultimate":true}}""", true },
        { "2.33, format 2", """{"info":{"@out":{"ca":{"hash":"@sri","method":"nar"},"deriver":"@gone.drv","narHash":"@sri","narSize":226560,"references":["@dep","@out"],"registrationTime":1700000000,"signatures":["cache-1:AAAA"],"storeDir":"/nix/store","ultimate":true,"version":2},"@gone":null},"storeDir":"/nix/store","version":2}""", true },
        { "2.35, format 3", """{"info":{"@out":{"ca":null,"closureSize":9,"deriver":null,"narHash":"@sri","narSize":226560,"references":["@out","@dep"],"registrationTime":1700000000,"signatures":[{"keyName":"cache-1","sig":"AAAA"}],"ultimate":false}},"storeDir":"/nix/store","version":3}""", false },
        { "base 16", """[{"path":"/nix/store/@out","narHash":"@hex","narSize":226560,"references":["/nix/store/@dep","/nix/store/@out","/nix/store/@dep"],"registrationTime":1700000000}]""", false },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_shape_gives_the_statement_that_the_references_hook_writes_byte_for_byte(string version, string json, bool isBuiltHere)
    {
        var printed = json.Replace("@out", Out).Replace("@dep", Dep).Replace("@gone", Gone).Replace("@sri", Sri).Replace("@nix32", Nix32)
            .Replace("@digits", Nix32[7..]).Replace("@hex", Hex);

        Assert.True(PathInfo.TryParse(printed, out var outputs, out var error), $"{version}: {error}");

        var output = Assert.Single(outputs);
        Assert.Equal($"/nix/store/{Out}", Encoding.ASCII.GetString(output.Statement.Key));
        Assert.Equal(
            $$"""{"path":"/nix/store/{{Out}}","narHash":"{{Sri}}","narSize":226560,"references":["/nix/store/{{Dep}}","/nix/store/{{Out}}"]}""",
            Encoding.ASCII.GetString(output.Statement.Value));
        Assert.Equal(isBuiltHere, output.IsBuiltHere);
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1700000000), output.RegisteredAt);
    }

    [Fact]
    public void Several_outputs_and_none_with_references_are_read_in_their_order()
    {
        var json = $$"""[{"path":"/nix/store/{{Out}}","narHash":"{{Sri}}","narSize":120,"references":[]},{"path":"/nix/store/{{Dep}}","narHash":"{{Nix32}}","narSize":9000000000,"references":["/nix/store/{{Dep}}"]}]""";

        Assert.True(PathInfo.TryParse(json, out var outputs, out _));

        Assert.Equal([Out, Dep], outputs.Select(output => output.Statement.Path.ToString()));
        Assert.EndsWith(
            "\"narSize\":120,\"references\":[]}", Encoding.ASCII.GetString(outputs[0].Statement.Value), StringComparison.Ordinal);
        Assert.Contains("\"narSize\":9000000000,", Encoding.ASCII.GetString(outputs[1].Statement.Value), StringComparison.Ordinal);
        Assert.Null(outputs[0].RegisteredAt);
    }

    [Theory]
    [InlineData("")]
    [InlineData("3")]
    [InlineData("null")]
    [InlineData("[3]")]
    [InlineData("[{}]")]
    [InlineData("{\"info\":[]}")]
    [InlineData("{\"info\":{\"" + Out + "\":{}}}")]
    [InlineData("{\"info\":{\"" + Out + "\":{\"narHash\":\"" + Sri
        + "\",\"narSize\":1,\"references\":[]}},\"storeDir\":\"/gnu/store\",\"version\":2}")]
    [InlineData("{\"/gnu/store/" + Out + "\":{\"narHash\":\"" + Sri + "\",\"narSize\":1,\"references\":[]}}")]
    [InlineData("[{\"path\":\"/nix/store/" + Out + "\",\"narHash\":\"sha1:" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        + "\",\"narSize\":1,\"references\":[]}]")]
    [InlineData("[{\"path\":\"/nix/store/" + Out + "\",\"narHash\":\"" + Sri + "\",\"narSize\":0,\"references\":[]}]")]
    [InlineData("[{\"path\":\"/nix/store/" + Out + "\",\"narHash\":\"" + Sri + "\",\"narSize\":1,\"references\":[null]}]")]
    [InlineData("[{\"path\":\"/nix/store/" + Out + "\",\"narHash\":\"" + Sri
        + "\",\"narSize\":1,\"references\":[],\"registrationTime\":99999999999999999}]")]
    [InlineData("[{\"path\":null,\"narHash\":\"" + Sri + "\",\"narSize\":1,\"references\":[]}]")]
    public void What_is_of_no_known_shape_says_nothing(string json)
    {
        Assert.False(PathInfo.TryParse(json, out var outputs, out var error));
        Assert.Empty(outputs);
        Assert.StartsWith("nix path-info --json printed unexpected output", error, StringComparison.Ordinal);
    }
}
