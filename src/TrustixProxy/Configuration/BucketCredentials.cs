using TrustixProxy.IO.Buckets;

namespace TrustixProxy.Configuration;

/// <summary>Keys <c>credentialsFile</c> and <c>instanceRole</c>, and where they are not set the environment as the AWS tools read it: who
/// signs requests to a bucket.</summary>
/// <remarks>
/// <code>
/// credentialsFile ▶ instanceRole ▶ AWS_ACCESS_KEY_ID … (unless a profile is named) ▶ AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials
///                                                                                   ▶ nobody: requests are unsigned
/// </code></remarks>
/// <param name="section">The part of the configuration with both keys.</param>
/// <param name="environment">Returns a variable's value.</param>
internal sealed class BucketCredentials(Section section, Func<string, string?> environment)
{
    /// <summary>What the keys are for.</summary>
    public const string FileMeaning = "File (mode 0600) in the form of the AWS tools' credentials file: the key that signs requests to an "
        + "`s3://` address. Without it the AWS tools' environment variables apply, and without these requests are unsigned.",
        RoleMeaning = "Whether requests to an `s3://` address are signed with the role that EC2 gives this machine.";

    private const string FileKey = "credentialsFile", RoleKey = "instanceRole", Id = "AWS_ACCESS_KEY_ID",
        Secret = "AWS_SECRET_ACCESS_KEY", Token = "AWS_SESSION_TOKEN", Default = "default";

    private readonly string? _file = section.Text(FileKey);
    private readonly bool _isRole = section.Flag(RoleKey) is true;

    /// <summary>Tells that the keys are set for something that is no bucket.</summary>
    public void RefuseWithoutBucket()
    {
        const string remedy = "is set, and 'url' is no s3:// address; remove it. Other caches use netrcFile or bearerFile.";
        if (_file is not null)
        {
            section.Fault(FileKey, remedy);
        }

        if (_isRole)
        {
            section.Fault(RoleKey, remedy);
        }
    }

    /// <summary>Reads who signs; null when nobody does.</summary>
    /// <param name="profile">The profile that the address names; null when it names none.</param>
    /// <param name="region">The bucket's region.</param>
    public BucketSigner? Read(string? profile, string region)
    {
        if (section.IsDescribed)
        {
            return null;
        }

        if (_file is not null && _isRole)
        {
            section.Fault(RoleKey, $"is set together with {FileKey}; remove one of them.");
        }

        var credentials = _file is not null ? OfFile(_file, profile)
            : _isRole ? null
            : profile is null && OfVariables() is { } key ? key
            : OfSharedFile(profile);
        return credentials is not null ? BucketSigner.Of(credentials, region)
            : _isRole && _file is null ? BucketSigner.Of(InstanceRole.OfThisMachine, region)
            : null;
    }

    private AwsCredentials? OfFile(string path, string? profile)
    {
        var text = KeyFile.ReadPrivate(section, FileKey, path, AwsCredentialsFile.MaxSize);
        if (text is null)
        {
            return null;
        }

        if (!AwsCredentialsFile.TryFind(text, profile ?? Variable("AWS_PROFILE") ?? Default, out var credentials, out _, out var fault))
        {
            section.Fault(FileKey, $"is '{path}', {fault}");
        }

        return credentials;
    }

    private AwsCredentials? OfVariables()
    {
        var (id, secret, token) = (Variable(Id), Variable(Secret), Variable(Token));
        if (id is null != secret is null)
        {
            section.FaultOfEnvironment(id is null ? Id : Secret, $"is not set, and {(id is null ? Secret : Id)} is; set both or neither.");
        }

        if (id is null || secret is null)
        {
            return null;
        }

        if (AwsCredentialsFile.IsPlain(id + secret + token))
        {
            return new AwsCredentials(id, secret, token);
        }

        section.FaultOfEnvironment(Id, $"or {Secret} or {Token} has characters other than printable ASCII without spaces.");
        return null;
    }

    private AwsCredentials? OfSharedFile(string? profile)
    {
        const string variable = "AWS_SHARED_CREDENTIALS_FILE";
        var home = Variable("HOME");
        var path = Variable(variable) ?? (home is null ? null : Path.Combine(home, ".aws", "credentials"));
        var named = profile ?? Variable("AWS_PROFILE");
        if (path is null || (Variable(variable) is null && !File.Exists(path)))
        {
            if (named is not null)
            {
                section.Fault(FileKey, $"is missing, and the profile '{named}' is named; set it to a credentials file with this profile.");
            }

            return null;
        }

        if (KeyFile.ReadPrivate(section, FileKey, path, AwsCredentialsFile.MaxSize) is not { } text)
        {
            return null;
        }

        if (!AwsCredentialsFile.TryFind(text, named ?? Default, out var credentials, out var isThere, out var fault)
            && (isThere || named is not null))
        {
            section.Fault(FileKey, $"is not set, and the environment names '{path}', {fault}");
        }

        return credentials;
    }

    private string? Variable(string name) => environment(name) is { Length: > 0 } value ? value : null;
}
