namespace TrustixProxy.Nix.Tests;

public sealed class StorePathTests
{
    private const string Digest = "g3mvg9q2slaizvvc5jsr2azpgmjph5r7";

    [Theory]
    [InlineData("src")]
    [InlineData("net-tools-1.60_p20170221182432")]
    [InlineData("a+b-._?=Z09")]
    [InlineData(".hidden")]
    [InlineData("...")]
    public void A_well_formed_name_is_a_path_and_is_written_as_it_was(string name)
    {
        Assert.True(StorePath.TryParse($"{Digest}-{name}", out var path, out _));

        Assert.Equal((Digest, name), (path.Digest.ToString(), path.Name));
        Assert.Equal($"/nix/store/{Digest}-{name}", path.Absolute);
        Assert.True(StorePath.TryParseAbsolute(path.Absolute, out var same, out _));
        Assert.Equal(path, same);
    }

    [Theory]
    [InlineData("", StorePathError.TooShort)]
    [InlineData(Digest, StorePathError.TooShort)]
    [InlineData(Digest + "-", StorePathError.TooShort)]
    [InlineData("g3mvg9q2slaizvvc5jsr2azpgmjph5re-src", StorePathError.DigestCharacter)]
    [InlineData("G3mvg9q2slaizvvc5jsr2azpgmjph5r7-src", StorePathError.DigestCharacter)]
    [InlineData(Digest + "_src", StorePathError.MissingDash)]
    [InlineData(Digest + "-s/rc", StorePathError.NameCharacter)]
    [InlineData(Digest + "-src\n", StorePathError.NameCharacter)]
    [InlineData(Digest + "-s\u00e9", StorePathError.NameCharacter)]
    [InlineData(Digest + "-.", StorePathError.DotName)]
    [InlineData(Digest + "-..", StorePathError.DotName)]
    [InlineData(Digest + "-.-a", StorePathError.DotName)]
    [InlineData(Digest + "-..-a", StorePathError.DotName)]
    public void Anything_else_is_refused_for_its_own_reason(string text, StorePathError expected)
    {
        Assert.False(StorePath.TryParse(text, out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void A_path_carries_its_store_and_equals_no_path_of_the_other()
    {
        Assert.True(StorePath.TryParseAbsolute($"/gnu/store/{Digest}-src", out var guix, out _));
        Assert.True(StorePath.TryParse($"{Digest}-src", out var nix, out _));
        Assert.True(StorePath.TryParse($"{Digest}-src", Store.Guix, out var same, out _));

        Assert.Equal((Store.Guix, Store.Nix), (guix.Store, nix.Store));
        Assert.Equal(guix, same);
        Assert.NotEqual(guix, nix);
        Assert.NotEqual(0, guix.CompareTo(nix));
        Assert.Equal($"/gnu/store/{Digest}-src", guix.Absolute);
        Assert.Equal(nix.Digest, StorePath.DigestOfKey(System.Text.Encoding.ASCII.GetBytes(guix.Absolute)));
        Assert.True(Store.TryParse("/gnu/store", out var store) && store == Store.Guix);
        Assert.False(Store.TryParse("/gnu/store/", out _));
    }

    [Fact]
    public void A_name_has_at_most_211_characters()
    {
        Assert.True(StorePath.TryParse($"{Digest}-{new string('a', 211)}", out _, out _));
        Assert.False(StorePath.TryParse($"{Digest}-{new string('a', 212)}", out _, out var error));
        Assert.Equal(StorePathError.NameLength, error);
    }

    [Theory]
    [InlineData("/opt/store/" + Digest + "-src")]
    [InlineData("/gnu/store")]
    [InlineData("/gnu/stores/" + Digest + "-src")]
    [InlineData("")]
    [InlineData("nix/store/" + Digest + "-src")]
    [InlineData("/nix/store//" + Digest + "-src")]
    [InlineData(Digest + "-src")]
    public void An_absolute_path_lies_right_below_the_store(string text) =>
        Assert.False(StorePath.TryParseAbsolute(text, out _, out _));
}
