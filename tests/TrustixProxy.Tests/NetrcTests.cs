using System.Text;
using TrustixProxy.Configuration;

namespace TrustixProxy.Tests;

/// <summary>What is shown to a host out of a netrc file: the same as curl, and so Nix, shows.</summary>
public sealed class NetrcTests
{
    [Theory]
    [InlineData("machine cache.corp login nix password s3cret", "nix:s3cret")]
    [InlineData("machine cache.corp password s3cret", ":s3cret")]
    [InlineData("machine cache.corp login nix", "nix:")]
    [InlineData("machine other login a password b\nmachine cache.corp password s3cret login nix", "nix:s3cret")]
    [InlineData("machine other login a password b default login nix password s3cret", "nix:s3cret")]
    [InlineData("default login nix password s3cret\nmachine cache.corp login a password b", "nix:s3cret")]
    [InlineData("machine cache.corp login nix password s3cret\nmachine cache.corp login a password b", "nix:s3cret")]
    [InlineData("machine cache.corp login \"n i\\\"x\" password \"s3\\\\cret\"", "n i\"x:s3\\cret")]
    [InlineData("machine cache.corp login a:b password c", "a:b:c")]
    [InlineData("macdef init\nmachine cache.corp login a password b\n\nmachine cache.corp login nix password s3cret", "nix:s3cret")]
    [InlineData("machine cache.corp login nix # a comment\npassword s3cret", "nix:s3cret")]
    [InlineData("machine cache.corp login a login nix password b password s3cret", "nix:s3cret")]
    [InlineData("machine cache.corp login nix password #s3cret", "nix:#s3cret")]
    [InlineData("machine cache.corp login nix password \"s3\\tcret\"", "nix:s3\tcret")]
    [InlineData("machine cache.corp login nix password s3cret\nmachine other password \"b", "nix:s3cret")]
    [InlineData("machine CACHE.corp Login nix PassWord s3cret", "nix:s3cret")]
    [InlineData("\r\nmachine cache.corp\r\n\tlogin nix\r\n\tpassword s3cret\r\n", "nix:s3cret")]
    public void The_entry_that_curl_finds_is_found(string netrc, string expected)
    {
        Assert.True(NetrcFile.TryFind(netrc, "cache.corp", out var credentials, out var fault), fault);

        Assert.Equal($"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes(expected))}", credentials.Header!.ToString());
    }
}
