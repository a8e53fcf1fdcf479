namespace TrustixProxy.Nix.Tests;

public sealed class NixHashTests
{
    private const string Abc = "sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s";

    [Theory]
    [InlineData(Abc)]
    [InlineData("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [InlineData("sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD")]
    [InlineData("sha256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")]
    [InlineData("sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")]
    [InlineData("sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0")]
    [InlineData("sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=?option")]
    public void Each_spelling_of_one_hash_is_that_hash_and_is_written_in_one_way(string text)
    {
        Assert.True(NixHash.TryParse(text, out var hash, out _));

        Assert.Equal(Abc, hash.ToString());
        Assert.Equal("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hash.ToBase16());
        Assert.Equal("sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", hash.ToSri());
        Assert.True(NixHash.TryParse(Abc, out var same, out _));
        Assert.Equal(same, hash);
    }

    [Theory]
    [InlineData("md5:900150983cd24fb0d6963f7d28e17f72", NixHashAlgorithm.Md5)]
    [InlineData("sha1:a9993e364706816aba3e25717850c26c9cd0d89d", NixHashAlgorithm.Sha1)]
    [InlineData(
        "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f", NixHashAlgorithm.Sha512)]
    public void The_other_algorithms_are_read_too(string text, NixHashAlgorithm algorithm)
    {
        Assert.True(NixHash.TryParse(text, out var hash, out _));
        Assert.Equal(algorithm, hash.Algorithm);
        Assert.Equal(text, hash.ToBase16());
    }

    [Theory]
    [InlineData("", NixHashError.NoAlgorithm)]
    [InlineData("1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s", NixHashError.NoAlgorithm)]
    [InlineData("sha255:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s", NixHashError.UnknownAlgorithm)]
    [InlineData("SHA256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s", NixHashError.UnknownAlgorithm)]
    [InlineData("sha256:", NixHashError.Length)]
    [InlineData("sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5", NixHashError.Length)]
    [InlineData("sha256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0", NixHashError.Length)] // only SRI may go without its padding
    [InlineData("sha256-1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s", NixHashError.Length)] // only base 64 after a dash
    [InlineData("sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5e", NixHashError.Digit)]
    [InlineData("sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", NixHashError.Digit)]
    [InlineData("sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa1=", NixHashError.Digit)] // surplus bits
    [InlineData("sha256-ungWv48Bz+pBQUDeXa4iI7AD YaOWF3qctBD/YfIAFa=", NixHashError.Digit)]
    public void Anything_else_is_refused_for_its_own_reason(string text, NixHashError expected)
    {
        Assert.False(NixHash.TryParse(text, out _, out var error));
        Assert.Equal(expected, error);
    }
}
