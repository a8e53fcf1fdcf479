using System.Text.Json.Nodes;
using System.Xml.Linq;

namespace TrustixProxy.Tests.Packaging;

/// <summary>Holds the files that a public project has: licence, workflow, forms, and one place for the version.</summary>
public sealed class GitHubTests
{
    private static readonly string[] FormElements = ["markdown", "input", "textarea", "dropdown", "checkboxes"];

    [Fact]
    public void Every_step_of_the_workflow_is_a_script_of_the_repository_or_a_flake_check()
    {
        var jobs = Yaml.Parse(Repository.Read(".github/workflows/ci.yml"))["jobs"]!.AsObject();

        var runs = jobs.SelectMany(job => job.Value!["steps"]!.AsArray()).Select(step => (string?)step!["run"]).OfType<string>().ToList();

        Assert.Contains(runs, run => run.EndsWith("bash .ci/run", StringComparison.Ordinal));
        Assert.All(runs, run => Assert.True(run.StartsWith("nix flake check", StringComparison.Ordinal) || File.Exists(Script(run)), run));
        Assert.All(jobs, job => Assert.True(int.Parse((string)job.Value!["timeout-minutes"]!) <= 90, job.Key));
    }

    [Fact]
    public void Actions_are_pinned_to_a_version_and_may_only_read()
    {
        var workflow = Yaml.Parse(Repository.Read(".github/workflows/ci.yml"));

        var uses = workflow["jobs"]!.AsObject().SelectMany(job => job.Value!["steps"]!.AsArray()).Select(step => (string?)step!["uses"])
            .OfType<string>();

        Assert.All(uses, action => Assert.Matches("^[a-z-]+/[a-z-]+@v[0-9]+$", action));
        Assert.Equal("read", (string?)workflow["permissions"]!["contents"]);
    }

    [Theory]
    [InlineData("bug.yml")]
    [InlineData("idea.yml")]
    public void Issue_forms_have_a_name_and_labelled_elements(string file)
    {
        var form = Yaml.Parse(Repository.Read($".github/ISSUE_TEMPLATE/{file}"));

        Assert.False(string.IsNullOrEmpty((string?)form["name"]));
        Assert.False(string.IsNullOrEmpty((string?)form["description"]));
        Assert.All(form["body"]!.AsArray(), element =>
        {
            Assert.Contains((string)element!["type"]!, FormElements);
            Assert.NotNull(element["attributes"]![(string)element["type"]! is "markdown" ? "value" : "label"]);
        });
    }

    [Fact]
    public void The_licence_is_the_same_wherever_it_is_named()
    {
        var properties = XDocument.Load(Path.Combine(Repository.Root, "Directory.Build.props"));

        Assert.StartsWith("MIT License", Repository.Read("LICENSE"));
        Assert.Equal("MIT", properties.Descendants("PackageLicenseExpression").Single().Value);
        Assert.Contains("license = lib.licenses.mit;", Repository.Read("nix/package.nix"));
        foreach (var file in new[] { "api", "rpc" })
        {
            Assert.Contains("The Trustix Authors. SPDX-License-Identifier: MIT",
                Repository.Read($"src/TrustixProxy.TransparencyLog/Wire/{file}.proto"));
        }
    }

    [Fact]
    public void The_version_is_written_once()
    {
        var version = XDocument.Load(Path.Combine(Repository.Root, "Directory.Build.props")).Descendants("Version").Single().Value;

        Assert.DoesNotContain($"\"{version}\"", Repository.Read("nix/package.nix"));
        Assert.All(
            Repository.Sources("src"), file => Assert.DoesNotContain($"\"{version[..version.LastIndexOf('.')]}", File.ReadAllText(file)));
        Assert.Contains($"## [{version}]", Repository.Read(".github/CHANGELOG.md"));
    }

    [Fact]
    public void The_sdk_that_is_asked_for_is_the_one_that_the_projects_target()
    {
        var sdk = JsonNode.Parse(Repository.Read("global.json"))!["sdk"]!;

        Assert.StartsWith("10.0.", (string)sdk["version"]!);
        Assert.Equal("latestFeature", (string?)sdk["rollForward"]);
    }

    private static string Script(string run) => Path.Combine(Repository.Root, run.Split(' ')[^1]);
}
