using System.Text.RegularExpressions;
using k8s;
using k8s.Models;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary>The manifests for Kubernetes: read strictly by the official client's models, which are made from Kubernetes' published schema,
/// and held to rules of ours. No cluster has run them.</summary>
public sealed partial class KubernetesTests
{
    private static readonly string Text = Repository.Read("docker/kubernetes.yaml");

    private static readonly IReadOnlyList<object> Objects = KubernetesYaml.LoadAllFromString(Text, strict: true);

    [Fact]
    public void The_manifests_have_no_key_and_no_type_that_kubernetes_does_not_know() =>
        Assert.Equal(
            [
                "ConfigMap", "Deployment", "NetworkPolicy", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service", "Service",
                "StatefulSet",
            ],
            Objects.Cast<IKubernetesObject>().Select(one => one.Kind).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true")]
    [InlineData("replicas: 3", "replicas: three")]
    [InlineData("maxUnavailable: 1", "maxUnavailableReplicas: 1")]
    [InlineData("mountPath: /config, readOnly", "mountPath: /config, writable")]
    public void A_wrong_key_or_type_is_found(string good, string bad)
    {
        Assert.Contains(good, Text, StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(
            () => KubernetesYaml.LoadAllFromString(Text.Replace(good, bad, StringComparison.Ordinal), strict: true));
    }

    [Fact]
    public async Task The_configuration_is_good()
    {
        using var folder = new Folder();
        var file = folder.File("config.json", One<V1ConfigMap>("trustix-proxy").Data["trustix-proxy.json"]);

        var check = await Cli.RunAsync(["check-config", "--config", file], new()
        {
            ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.File("state"),
            ["TRUSTIXPROXY__SIGNINGKEYFILE"] = folder.File("signing.key"),
            ["TRUSTIXPROXY__OPERATIONS__HOSTS__0"] = "192.0.2.1",
        });

        Assert.True(check.Code is 0, check.Error);
        Assert.StartsWith("valid for serve", check.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void No_container_has_a_privilege_or_may_write_elsewhere_than_into_its_volumes()
    {
        foreach (var pod in Pods())
        {
            Assert.False(pod.AutomountServiceAccountToken);
            Assert.True(pod.SecurityContext.RunAsNonRoot);
            Assert.True(pod.SecurityContext.RunAsUser > 0);
            Assert.Equal("RuntimeDefault", pod.SecurityContext.SeccompProfile.Type);
            Assert.True(pod.HostNetwork is null && pod.HostPID is null && pod.HostIPC is null);
            foreach (var container in pod.Containers)
            {
                Assert.True(container.SecurityContext.ReadOnlyRootFilesystem);
                Assert.False(container.SecurityContext.AllowPrivilegeEscalation);
                Assert.Null(container.SecurityContext.Privileged);
                Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
                Assert.Null(container.SecurityContext.Capabilities.Add);
                Assert.True(container.Resources.Limits.ContainsKey("memory") && container.Resources.Requests.ContainsKey("memory"));
            }
        }
    }

    [Fact]
    public void A_replica_is_replaced_once_the_one_before_can_decide_and_served_from_while_it_answers()
    {
        var proxy = Proxy().Template.Spec.Containers.Single();

        Assert.Equal(("/readyz", "operations"), (proxy.StartupProbe.HttpGet.Path, proxy.StartupProbe.HttpGet.Port.Value));
        Assert.Equal(("/healthz", "operations"), (proxy.ReadinessProbe.HttpGet.Path, proxy.ReadinessProbe.HttpGet.Port.Value));
        Assert.Equal(("/healthz", "operations"), (proxy.LivenessProbe.HttpGet.Path, proxy.LivenessProbe.HttpGet.Port.Value));
        Assert.All(Pods().SelectMany(pod => pod.Containers),
            container => Assert.True(container.ReadinessProbe is not null && container.LivenessProbe is not null));
        Assert.Equal("status.podIP",
            proxy.Env.Single(variable => variable.Name is "TRUSTIXPROXY__OPERATIONS__HOSTS__0").ValueFrom.FieldRef.FieldPath);
    }

    [Fact]
    public void Names_lead_to_what_is_there()
    {
        var pods = new[] { Proxy().Template, One<V1Deployment>("trustix-redis").Spec.Template };
        V1PodTemplateSpec Chosen(IDictionary<string, string> labels) =>
            pods.Single(pod => labels.All(label => pod.Metadata.Labels[label.Key] == label.Value));
        IEnumerable<string> Ports(V1PodTemplateSpec pod) =>
            pod.Spec.Containers.SelectMany(container => container.Ports).Select(port => port.Name);

        Assert.All(Objects.OfType<V1Service>(), service => Assert.All(service.Spec.Ports,
            port => Assert.Contains(port.TargetPort.Value, Ports(Chosen(service.Spec.Selector)))));
        Assert.All(Objects.OfType<V1NetworkPolicy>(), policy => Assert.All(policy.Spec.Ingress.SelectMany(rule => rule.Ports),
            port => Assert.Contains(port.Port.Value, Ports(Chosen(policy.Spec.PodSelector.MatchLabels)))));
        Assert.Same(pods[0], Chosen(One<V1PodDisruptionBudget>("trustix-proxy").Spec.Selector.MatchLabels));
        Assert.Equal("1", One<V1PodDisruptionBudget>("trustix-proxy").Spec.MaxUnavailable.Value);
        Assert.True(Proxy().Replicas > 1);
        Assert.NotNull(One<V1Service>(Proxy().ServiceName).Spec);
        Assert.Contains($"\"{One<V1Service>("trustix-redis").Metadata.Name}:6379\"", Text, StringComparison.Ordinal);

        var spec = Proxy().Template.Spec;
        Assert.Equal(spec.Containers.Single().VolumeMounts.Select(mount => mount.Name).Order(StringComparer.Ordinal),
            spec.Volumes.Select(volume => volume.Name).Concat(Proxy().VolumeClaimTemplates.Select(claim => claim.Metadata.Name))
                .Order(StringComparer.Ordinal));
        Assert.Equal("trustix-proxy", spec.Volumes.Single(volume => volume.Name is "config").ConfigMap.Name);
    }

    [Fact]
    public void The_documents_make_the_secret_and_the_image_that_the_manifests_name()
    {
        var document = Repository.Read("docker/README.md");
        var secret = Proxy().Template.Spec.Volumes.Single(volume => volume.Secret is not null).Secret.SecretName;
        var image = Proxy().Template.Spec.Containers.Single().Image;

        Assert.Contains($"kubectl create secret generic {secret} --from-file=signing.key", document, StringComparison.Ordinal);
        Assert.Contains($"docker push {image}", document, StringComparison.Ordinal);
        Assert.Equal(Version.Match(Repository.Read("Directory.Build.props")).Groups[1].Value, image.Split(':')[1]);
    }

    private static V1StatefulSetSpec Proxy() => One<V1StatefulSet>("trustix-proxy").Spec;

    private static IEnumerable<V1PodSpec> Pods() => [Proxy().Template.Spec, One<V1Deployment>("trustix-redis").Spec.Template.Spec];

    private static T One<T>(string name)
        where T : IMetadata<V1ObjectMeta> => Objects.OfType<T>().Single(one => one.Metadata.Name == name);

    [GeneratedRegex("<Version>(.+)</Version>")]
    private static partial Regex Version { get; }
}
