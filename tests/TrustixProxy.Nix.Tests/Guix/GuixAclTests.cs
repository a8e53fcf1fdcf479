namespace TrustixProxy.Nix.Tests.Guix;

/// <summary>The list of keys that a client of GNU Guix believes.</summary>
public sealed class GuixAclTests
{
    [Fact]
    public void The_list_that_guix_wrote_has_three_keys_in_its_order()
    {
        Assert.True(GuixAcl.TryParse(GuixVectors.Text("acl"), out var keys, out var error));

        Assert.Equal(GuixAclError.None, error);
        Assert.Equal(new[] { "rsa", "p256", "alice" }.Select(name => GuixVectors.Key(name).ToString()), keys);
    }

    [Theory]
    [InlineData("(acl)", 0)]
    [InlineData(" (acl (entry (public-key (dsa (y #00#))) (tag (guix import)))) ", 1)]
    public void A_list_may_be_empty_and_have_keys_of_kinds_that_only_libgcrypt_knows(string text, int count)
    {
        Assert.True(GuixAcl.TryParse(text, out var keys, out _));
        Assert.Equal(count, keys.Length);
    }

    [Theory]
    [InlineData("", GuixAclError.Form)]
    [InlineData("acl", GuixAclError.Form)]
    [InlineData("()", GuixAclError.Form)]
    [InlineData("(acl)x", GuixAclError.Form)]
    [InlineData("(acls)", GuixAclError.Form)]
    [InlineData("(acl x)", GuixAclError.Entry)]
    [InlineData("(acl (entry (public-key)))", GuixAclError.Entry)]
    [InlineData("(acl (entry (public-key) (tag (guix import)) x))", GuixAclError.Entry)]
    [InlineData("(acl (entry (tag (guix import)) (public-key)))", GuixAclError.Entry)]
    [InlineData("(acl (entry (public-key) (tag (guix export))))", GuixAclError.Entry)]
    [InlineData("(acl (entry (public-key) (tag (nix import))))", GuixAclError.Entry)]
    [InlineData("(acl (entry (private-key) (tag (guix import))))", GuixAclError.Entry)]
    [InlineData("(acl (entry public-key (tag (guix import))))", GuixAclError.Entry)]
    public void Anything_else_is_no_such_list_for_its_own_reason(string text, GuixAclError expected)
    {
        Assert.False(GuixAcl.TryParse(text, out var keys, out var error));
        Assert.Equal((expected, 0), (error, keys.Length));
    }

    [Fact]
    public void A_list_beyond_the_bound_is_not_read()
    {
        Assert.True(GuixAcl.TryParse("(acl" + new string(' ', SExpression.MaxSize - 5) + ")", out _, out _));
        Assert.False(GuixAcl.TryParse("(acl" + new string(' ', SExpression.MaxSize - 4) + ")", out _, out var error));
        Assert.Equal(GuixAclError.TooLarge, error);
    }
}
