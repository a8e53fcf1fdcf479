using static TrustixProxy.Apt.Tests.Make;

namespace TrustixProxy.Apt.Tests;

/// <summary>Keys as rebuilders publish them.</summary>
public sealed class KeyTests
{
    private const string Body = "MCwwBwYDK2VwBQADIQC9FhPuxp6wKmoDnY9OpwyFL7GaMVIlA1oKOvidLorpDg==",
        Bytes = "bd1613eec69eb02a6a039d8f4ea70c852fb19a315225035a0a3af89d2e8ae90e";

    private const string WithoutParameter = "MCowBQYDK2VwAyEAvRYT7saesCpqA52PTqcMhS+xmjFSJQNaCjr4nS6K6Q4=";

    [Theory]
    [InlineData(Body)]
    [InlineData(WithoutParameter)]
    [InlineData($"-----BEGIN PUBLIC KEY-----\n{Body}\n-----END PUBLIC KEY-----\n")]
    [InlineData($"-----BEGIN PUBLIC KEY-----\r\n{Body}\r\n-----END PUBLIC KEY-----\r\n")]
    [InlineData($"-----BEGIN PUBLIC KEY-----\n{WithoutParameter}\n-----END PUBLIC KEY-----")]
    public void A_key_is_read_with_a_null_parameter_and_without(string text)
    {
        Assert.True(RebuilderKey.TryParse(text, out var key, out _));

        Assert.Equal(Bytes, Convert.ToHexStringLower(key.Bytes));
        Assert.Equal(KeyOf("a-public-keys.json"), key);
        Assert.Equal("2cf4b0f11b7ddc1a2bb2c58dec211cde22f8729c5a3c35889b1b6eeb770038ec", key.Id);
    }

    [Theory]
    [InlineData("", RebuilderKeyError.KeyInfo)]
    [InlineData("hello", RebuilderKeyError.Pem)]
    [InlineData("-----BEGIN PUBLIC KEY-----", RebuilderKeyError.Pem)]
    [InlineData($"-----BEGIN PUBLIC KEY-----\n{Body}", RebuilderKeyError.Pem)]
    [InlineData($"-----BEGIN PRIVATE KEY-----\n{Body}\n-----END PRIVATE KEY-----", RebuilderKeyError.Pem)]
    [InlineData($"{Body}\n{Body}", RebuilderKeyError.Pem)]
    [InlineData("MCwwBwYDK2VwBQADIQC9FhPuxp6wKmoDnY9OpwyFL7GaMVIlA1oKOvidLorpDh==", RebuilderKeyError.Pem)] // bits beyond the end
    [InlineData("vRYT7saesCpqA52PTqcMhS+xmjFSJQNaCjr4nS6K6Q4=", RebuilderKeyError.KeyInfo)] // 32 bytes alone
    [InlineData("MCowBQYDK2VuAyEAvRYT7saesCpqA52PTqcMhS+xmjFSJQNaCjr4nS6K6Q4=", RebuilderKeyError.KeyInfo)] // X25519
    [InlineData("MCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", RebuilderKeyError.Weak)]
    public void Anything_else_is_refused(string text, RebuilderKeyError expected)
    {
        Assert.False(RebuilderKey.TryParse(text, out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void Every_published_key_is_read()
    {
        string[] files = ["a-public-keys.json", "b-public-keys.json", "reproduce-debian-net-amd64.pub", "reproducible-archlinux.pub"];

        Assert.Equal(4, files.Select(KeyOf).Distinct().Count());
    }
}
