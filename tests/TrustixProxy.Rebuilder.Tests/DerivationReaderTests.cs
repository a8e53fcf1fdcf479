using System.Text;
using TrustixProxy.Rebuilder.Derivations;

namespace TrustixProxy.Rebuilder.Tests;

public sealed class DerivationReaderTests
{
    private const string Out = "/nix/store/8wnacvhfnbamkjr2dz49kcrw9071yhjq-multi", Dev = Out + "-dev";
    private const string Input = "/nix/store/sbavn929mp29a6b77mva769lbaahf1kw-leaf.drv";
    private const string Source = "/nix/store/sbavn929mp29a6b77mva769lbaahf1kw-act";

    private const string Multi = $$"""
        Derive([("dev","{{Dev}}","",""),("out","{{Out}}","","")],[("{{Input}}",["out"])],["{{Source}}"],"x86_64-linux","{{Source}}",["a \"b\" \\ \n"],[("name","multi"),("x","")])
        """;

    [Fact]
    public void A_derivation_reads_whole()
    {
        var read = Read(Multi);

        Assert.Equal([("dev", Dev), ("out", Out)], read.Outputs.Select(output => (output.Name, output.Path.Absolute)));
        Assert.Equal(Input, read.Inputs.Single().Derivation.Absolute);
        Assert.Equal(["out"], read.Inputs.Single().Outputs.ToArray());
        Assert.Equal([Source], read.Sources.Select(source => source.Absolute));
        Assert.Equal("x86_64-linux", read.System);
        Assert.False(read.IsFixedOutput);
        Assert.Equal("dev", read.Find(read.Outputs[0].Path)!.Name);
    }

    [Fact]
    public void An_output_of_fixed_content_is_known()
    {
        var read = Read($$"""Derive([("out","{{Out}}","r:sha256","ab12")],[],[],"builtin","builtin:fetchurl",[],[])""");

        Assert.True(read.IsFixedOutput);
    }

    [Theory]
    [InlineData("""Derive([("out","","","")],[],[],"s","b",[],[])""", DerivationError.UnknownOutput)]
    [InlineData("""Derive([("out","","r:sha256","")],[],[],"s","b",[],[])""", DerivationError.UnknownOutput)]
    [InlineData("""Derive([],[],[],"s","b",[],[])""", DerivationError.NoOutput)]
    [InlineData("""Derive([("out","/etc/passwd","","")],[],[],"s","b",[],[])""", DerivationError.StorePath)]
    [InlineData("""DrvWithVersion("xp-dyn-drv",[],[],[],"s","b",[],[])""", DerivationError.Dynamic)]
    [InlineData("""Derive([],[],[],"s","b",[],[]) """, DerivationError.TrailingBytes)]
    [InlineData("""Derive([],[],[],"\x","b",[],[])""", DerivationError.Syntax)]
    [InlineData("""Derive([] ,[],[],"s","b",[],[])""", DerivationError.Syntax)]
    [InlineData("", DerivationError.Syntax)]
    public void What_cannot_be_rebuilt_is_refused_with_its_cause(string text, DerivationError expected)
    {
        Assert.False(DerivationReader.TryRead(Encoding.UTF8.GetBytes(text), out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void No_prefix_of_a_derivation_is_one()
    {
        var bytes = Encoding.UTF8.GetBytes(Multi);
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.False(DerivationReader.TryRead(bytes.AsSpan(0, length), out _, out _), $"{length} bytes");
        }
    }

    [Fact]
    public void No_changed_byte_crashes_the_reader()
    {
        var random = new Random(1);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = Encoding.UTF8.GetBytes(Multi);
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            DerivationReader.TryRead(bytes, out _, out _);
        }
    }

    private static Derivation Read(string text) =>
        DerivationReader.TryRead(Encoding.UTF8.GetBytes(text), out var read, out var error) ? read
            : throw new FormatException(error.ToString());
}
